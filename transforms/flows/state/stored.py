"""The stored state of one user: the records that the codec writes and reads.

These structs are mutable, unlike all others: only the engine changes them, while it handles a
signal. The engine works on a state and its sessions as the classes in ``engine/working.py``.
Flows and steps are numbers that the catalog assigned; times are ms UTC.
"""

from __future__ import annotations

from typing import Any

import msgspec

Data = dict[str, Any]
Entry = list[int]
"""``[t]`` or ``[t, value]``; a merged day is ``[t, n]`` with two more for values: see ``series``.
"""


class Part(msgspec.Struct, array_like=True, gc=False):
    """Base of the parts of a state. New fields go to the end, with a default."""


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
    """What a slot shows, and until when; at ``recheck_at`` its condition may change with time."""

    step: int
    slot: str
    shows: str
    until: int | None = None
    recheck_at: int | None = None


class Halt(Part, array_like=True, gc=False):
    """A paused or held session (R26), and what was decided since.

    ``by`` is what halts it: the pause of its flow, a hold, or both. ``how`` is the resume mode.
    ``left`` is the rest of a wait that the pause extends. ``target`` is the step to go to at the
    resume, ``why`` the reason. ``overdue`` is True if the time of the wait ended it.
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

    - ``due``: when the current wait ends; ``recheck_at``: when one of its conditions may change
      with time (R18)
    - ``count``: the number of its outputs so far (R30); ``visits``: arrivals by step
    - ``variants``: the assigned branch by split; ``sent``: the newest communication by send step
    - ``matched_cases``: the true cases of a ranked wait; ``exit_true``: the exit conditions that
      are true
    - ``ended``: when it ended; from then on it is a stub for its goals (R24)
    - ``halt``: set while it is paused or held; ``message``: the user's last message to it
    - ``visit_deadline``: in a wait within a visit, when the time of the wait is over
    - ``awaiting_call``: the number of the call whose answer it waits for, 0 for none
    - ``baseline``: the conditions of the wait that loaded history made true (R10)
    - ``wait_data``: what the step at which it waits stores; None at every other step
    - ``goals_true``: the goals on a condition or an audience that are true and not reached
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
    goals_true: list[str] = []


class Communication(Part, array_like=True, gc=False):
    """A communication with its newest status (R14).

    While it is planned, ``due`` is when it is decided, and ``key`` is the key of the session.
    ``data`` is what was captured when it was planned, ``variant`` the branch that the session was
    assigned last by then. ``on_hold`` is True while its flow is paused
    or its session held: then it is not sent even if it is due.
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
    variant: str | None = None


class Presence(Part, array_like=True, gc=False):
    """The number of the user's visits (J11), and times and number of events of the newest one."""

    count: int
    started: int
    last: int
    events: int = 0


class Visit(Part, array_like=True, gc=False):
    """One entry into a flow: when it was, and the ms until the exit (None while in the flow)."""

    entered: int
    took: int | None = None
    key: str = ""


class History(Part, array_like=True, gc=False):
    """A user's history in a flow, for entry limits, delays, first arrivals and launches."""

    times: int = 0
    visits: list[Visit] = []
    reached: list[int] = []
    launches: list[bytes] | None = None


class Pending(Part, array_like=True, gc=False):
    """The progress of a trigger: the parts of a combination, a held change, or a future date.

    ``times`` are the instants of the parts that happened; ``due`` is when its timer fires. ``key``
    is the key of the session that it starts (R20). ``parts`` are the fields of the first part that
    conditions of later parts read, by the part that came after it last.
    """

    flow: int
    trigger: int
    times: list[int | None] = []
    due: int | None = None
    cause: str = ""
    data: Data = {}
    key: str = ""
    parts: dict[int, Data] = {}


class Sent(Part, array_like=True, gc=False):
    """A message that counts for caps."""

    at: int
    channel: str
    topic: str | None = None


class Past(Part, array_like=True, gc=False):
    """An archived communication, and when it changed last.

    ``packed`` is the encoded communication, or the communication itself if it was archived since
    the state was decoded; both encode to the same bytes.
    """

    changed: int
    packed: msgspec.Raw


class Participant(Part, array_like=True, gc=False):
    """The user in one campaign (C3): the fields, including ``status``."""

    data: Data
    created: int
    changed: int


class Identity(Part, array_like=True, gc=False):
    """The links of a key to other keys of the same user, and its tombstone (R8, R32).

    - ``to``: the key that this one was merged into; ``handover``: the handover for which its
      forwarded signals wait
    - ``erased``: the instant of the erasure
    - ``held``: forwarded signals that arrived before the handover they wait for
    - ``merged``: short hashes of the merged handovers; ``sources``: the keys that sent them
    """

    to: str | None = None
    handover: str = ""
    erased: int | None = None
    held: list[bytes] = []
    merged: bytes = b""
    sources: list[str] = []


class StoredState(Part, array_like=True, gc=False):
    """The state of one user. Common fields come first: trailing empty fields are not stored.

    - ``clock``: the handling time of the last signal or timer; ``control_applied``: the effective
      time of the last control record applied
    - ``seen_ids``: the ids for deduplication; ``seen_floor``: the newest event time of an id that
      was dropped for room (R5)
    - ``sequence``: the number of the last flow state, 0 before the first (R31)
    - ``suppressed``: the flows that a command keeps the user out of, -1 for all
    - ``presence``: the user's visits, if a flow reads them; ``participants``: by campaign
    - ``trait_ages``: when each trait was set last
    - ``identity``: set if the user has, or had, other keys, or was erased
    - ``transitions``: the sequence of the newest transition
    - ``converted``: the goals that the user has reached, by flow
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
    transitions: int = 0
    converted: dict[int, list[str]] = {}
