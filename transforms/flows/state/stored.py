"""All that is remembered of one user, as it is stored: what the codec writes and reads.

Only a run changes it and nothing of it escapes, so these structs alone are mutable; a user and
the sessions have a form of their own while a run works on them, in ``state``.
Flows and steps appear by the numbers that the catalog gave them; times are ms UTC.
"""

from __future__ import annotations

from typing import Any

import msgspec

Data = dict[str, Any]
Entry = list[int]
"""``[t]`` or ``[t, value]``; a merged day is ``[t, n]`` with two more for values: see ``series``."""


class Part(msgspec.Struct, array_like=True, gc=False):
    """Base of the state's parts. New fields go to the end, with a default."""


class Series(Part, array_like=True, gc=False):
    """Running sums over all time, and the entries that windows read.

    ``total``, ``low`` and ``high`` are in 1/10000. ``days`` are ``[t, n, total, low, high]``,
    without the last three in a series that only counts.
    """

    count: int = 0
    first: int | None = None
    last: int | None = None
    total: int = 0
    low: int | None = None
    high: int | None = None
    entries: list[Entry] = []
    days: list[Entry] = []


class Promotion(Part, array_like=True, gc=False):
    """What a slot shows, and until when; ``recheck_at`` is when its condition may change by time."""

    step: int
    slot: str
    shows: str
    until: int | None = None
    recheck_at: int | None = None


class Halt(Part, array_like=True, gc=False):
    """Why a session is halted (R26), and what was decided since.

    ``by`` says what halts it: its flow's pause, a hold, or both. ``how`` is what the resume
    does. ``left`` is what remains of a wait that does not run on. ``target`` is the step to go
    to at the resume, ``why`` what decided that; ``overdue`` says that it was time alone.
    """

    since: int
    by: int
    how: str = "fire"
    left: int | None = None
    target: int | None = None
    why: str | None = None
    overdue: bool = False


class StoredSession(Part, array_like=True, gc=False):
    """One session of a flow (B3).

    ``due`` is when the current wait ends, ``recheck_at`` when a condition of it may change
    by time alone (R18). ``count`` numbers the outputs (R30). ``visits`` counts arrivals by
    step, ``variants`` holds the drawn branch by split, ``sent`` the newest communication
    by send step, ``matched_cases`` the cases of a ranked wait, ``exit_true`` the exit conditions
    that hold. After the end ``ended`` is set, and the session is a stub for its goals (R24).
    ``halt`` is set while it is paused or held. ``message`` is what the user sent to it last.
    ``visit_deadline`` is set in a wait within a visit: when its time is over. ``awaiting_call`` is the number of the
    call whose answer it waits for, 0 for none. ``baseline`` holds the conditions of the wait that
    are true by loaded history (R10).
    ``wait_data`` is what the step that the session waits at remembers; the step gives its meaning,
    and it is empty at every other step.
    """

    id: str
    flow: int
    version: int
    key: str
    started: int
    step: int
    since: int
    due: int | None = None
    recheck_at: int | None = None
    count: int = 0
    silent: bool = False
    entry: Data = {}
    variables: Data = {}
    visits: dict[int, int] = {}
    variants: dict[int, int] = {}
    sent: dict[int, str] = {}
    matched_cases: list[int] = []
    exit_true: list[int] = []
    goals: list[str] = []
    promotions: list[Promotion] = []
    ended: int | None = None
    halt: Halt | None = None
    message: Data | None = None
    visit_deadline: int | None = None
    awaiting_call: int = 0
    baseline: list[int] | None = None
    wait_data: Any = None


class Communication(Part, array_like=True, gc=False):
    """A communication: planned, or what its newest status is (R14).

    ``data`` is what was captured when it was planned; ``due`` is set while it is planned,
    ``on_hold`` while it is not judged although it may be due: its flow is paused, or its session held.
    ``key`` is that of the session, while it is planned.
    """

    id: str
    session: str
    flow: int
    version: int
    step: int
    started: int
    channel: str
    status: str
    changed: int
    due: int | None = None
    expires: int | None = None
    silent: bool = False
    data: Data = {}
    facts: Data = {}
    on_hold: bool = False
    key: str = ""


class Presence(Part, array_like=True, gc=False):
    """The user's visits (J11): how many; of the newest, its first and last event, and how many."""

    count: int
    started: int
    last: int
    events: int = 0


class Visit(Part, array_like=True, gc=False):
    """A past or present stay in a flow: entered at, ``took`` ms until the exit or None."""

    entered: int
    took: int | None = None
    key: str = ""


class History(Part, array_like=True, gc=False):
    """What limits, delays, first arrivals and launches need to know of a flow."""

    times: int = 0
    visits: list[Visit] = []
    reached: list[int] = []
    launches: list[bytes] | None = None


class Pending(Part, array_like=True, gc=False):
    """The progress of a trigger: a combination's parts, a held change, a date to come.

    ``times`` are the instants of the parts that happened; ``due`` is when it fires by itself.
    """

    flow: int
    trigger: int
    times: list[int | None] = []
    due: int | None = None
    cause: str = ""
    data: Data = {}


class Sent(Part, array_like=True, gc=False):
    """A message that counts for caps."""

    at: int
    channel: str
    topic: str | None = None


class Past(Part, array_like=True, gc=False):
    """A communication in the archive, and when it changed last.

    ``packed`` is as it was encoded, or the communication itself if it was put there since: both
    are written alike.
    """

    changed: int
    packed: msgspec.Raw


class Participant(Part, array_like=True, gc=False):
    """The user in one campaign (C3): its fields, and its ``status`` among them."""

    data: Data
    created: int
    changed: int


class Identity(Part, array_like=True, gc=False):
    """What ties a key to others, or what is left of one that was erased (R8, R32).

    ``to`` is the key that this one turned out to be, ``handover`` what its new signals wait
    for. ``erased`` is the instant of an erasure. ``held`` are forwarded signals that came
    before the state they wait for, ``merged`` short hashes of the handovers taken in,
    ``sources`` the keys that these came from.
    """

    to: str | None = None
    handover: str = ""
    erased: int | None = None
    held: list[bytes] = []
    merged: bytes = b""
    sources: list[str] = []


class StoredState(Part, array_like=True, gc=False):
    """One user. What most users have comes first: empty fields at the end take no room.

    ``clock`` is the time of the last thing handled, ``control_applied`` the effective time of the
    last control record taken in, ``seen_ids`` the ids seen, ``seen_floor`` the newest own time of
    an id dropped for lack of room (R5). ``sequence`` numbers the flow states sent out (R31).
    ``suppressed`` are the flows that a command keeps the user out of, -1 for all.
    ``presence`` is kept where something reads visits. ``participants`` are by campaign. ``trait_ages``
    say when each trait was told last. ``identity`` is set where other keys are, or were, the same user.
    """

    clock: int
    control_applied: int
    sequence: int = 0
    seen_floor: int = 0
    seen_ids: bytes = b""
    traits: Data = {}
    trait_ages: bytes = b""
    histories: dict[int, History] = {}
    sessions: list[StoredSession] = []
    tags: list[str] = []
    consent: dict[str, bool] = {}
    audiences: dict[str, int] = {}
    series: dict[str, Series] = {}
    cap_sends: list[Sent] = []
    communications: list[Communication] = []
    ended: list[StoredSession] = []
    audience_checks: dict[str, int] = {}
    pending: list[Pending] = []
    sent_archive: list[Past] = []
    suppressed: list[int] = []
    presence: Presence | None = None
    participants: dict[str, Participant] = {}
    identity: Identity | None = None
