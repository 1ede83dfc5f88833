"""What leaves: one closed union, each with a permanent id (semantics, section 8; R30).

Outputs are plain data in the order decided. ``at`` is the instant of the decision, ms UTC.
"""

from __future__ import annotations

from typing import Any

import msgspec

Data = dict[str, Any]


class Output(msgspec.Struct, frozen=True, gc=False, tag_field="is"):
    """Base of every output."""

    id: str
    user: str
    at: int


class FromSession(Output, frozen=True, gc=False):
    """Base of what a session decides."""

    flow: str
    version: int
    session: str
    step: str


class Message(FromSession, frozen=True, gc=False, tag="message"):
    """A communication to deliver: id is the idempotency key over all attempts.

    ``communication`` is the record it belongs to; an attempt on another channel has
    an id of its own. ``expires`` is the end of its validity, or None. ``agent`` is who sends,
    None for the channel's own; ``tracking`` holds what the worker is to track: ``opens`` and
    ``clicks`` where true, ``links`` as ``short`` (I31).
    """

    communication: str
    channel: str
    address: str
    template: str
    template_version: str
    data: Data
    topic: str | None = None
    agent: str | None = None
    expires: int | None = None
    tracking: Data = {}


class Cancel(Output, frozen=True, gc=False, tag="cancel", kw_only=True):
    """Ask the worker to cancel an active communication (C16)."""

    communication: str
    reason: str


class Webhook(FromSession, frozen=True, gc=False, tag="webhook", kw_only=True):
    """A request to send."""

    url: str
    method: str
    connection: str | None
    headers: dict[str, str]
    template: str | None
    template_version: str | None
    data: Data


class Export(FromSession, frozen=True, gc=False, tag="export", kw_only=True):
    """A record for a destination."""

    destination: str
    fields: Data
    on_exit: bool = False


class FlowState(Output, frozen=True, gc=False, tag="flow_state"):
    """Where the user stands in every flow, absolute, with a per-user sequence (L11, L12, B7).

    ``flows`` holds one map a live session (flow, version, session, step, since, started),
    ``promotions`` maps a slot to what it shows and until when.
    """

    sequence: int
    flows: list[Data]
    promotions: dict[str, Data]


class ProfileUpdate(Output, frozen=True, gc=False, tag="profile_update", kw_only=True):
    """Traits, tags and consent changed by a step or a link."""

    set: Data = {}
    unset: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()
    consent: dict[str, bool] = {}
    flow: str | None = None
    step: str | None = None


class AudienceUpdate(Output, frozen=True, gc=False, tag="audience_update"):
    """The user entered or left an audience that the core owns."""

    audience: str
    entered: bool
    flow: str | None = None
    step: str | None = None


class Transition(FromSession, frozen=True, gc=False, tag="transition"):
    """One row a move of a session: ``entered reached waiting left ended`` (R25).

    ``visit`` counts arrivals of this session at the step from 1; ``first_arrival`` is
    true on the first arrival ever of the user at this flow and step; ``until`` is when
    a wait ends at the latest; ``cause`` is the id of the signal or due thing.
    """

    what: str
    key: str
    visit: int
    cause: str
    reason: str | None = None
    variant: str | None = None
    until: int | None = None
    since: int | None = None
    first_arrival: bool = False
    silent: bool = False


class Communication(FromSession, frozen=True, gc=False, tag="communication"):
    """One row a status of a communication.

    ``parts`` and ``cost`` stand in the row of a message that leaves, ``cost`` by the prices of
    the space; ``reported_cost`` is by how much a result has raised what results report of it.
    """

    communication: str
    status: str
    channel: str
    template: str
    reason: str | None = None
    topic: str | None = None
    variant: str | None = None
    due: int | None = None
    parts: int | None = None
    cost: float | None = None
    data: Data = {}
    reported_cost: float | None = None


class Conversion(FromSession, frozen=True, gc=False, tag="conversion", kw_only=True):
    """A goal reached; ``steps`` and ``variants`` are what the session had reached by then (R24)."""

    goal: str
    value: float | None
    entered: int
    cause: str
    steps: tuple[str, ...]
    variants: tuple[str, ...]
    silent: bool


class Rejection(Output, frozen=True, gc=False, tag="rejection", kw_only=True):
    """Something refused, with the reason code (R7)."""

    reason: str
    cause: str
    flow: str | None = None
    step: str | None = None
    detail: str = ""


class DeadLetter(Output, frozen=True, gc=False, tag="dead_letter", kw_only=True):
    """Something that went wrong: what, why and where.

    ``record`` is the signal that was not handled, whole, as JSON that can be published again.
    """

    reason: str
    cause: str
    flow: str | None = None
    step: str | None = None
    detail: str = ""
    record: str | None = None


class Call(FromSession, frozen=True, gc=False, tag="call", kw_only=True):
    """Foreign code or an API to call; the answer comes back as a ``CallResult``.

    ``target`` is a hash of the code, or the address; ``inputs`` are the code's, or what the body
    is rendered from. ``store`` maps names of the answer to paths in its JSON. From ``expires`` on
    nobody waits for it. A ``connection`` is named; what it adds, secrets too, is never in here.
    """

    kind: str
    target: str
    inputs: Data
    method: str | None = None
    connection: str | None = None
    headers: dict[str, str] = {}
    template: str | None = None
    template_version: str | None = None
    store: dict[str, str] = {}
    expires: int | None = None


class HandoverOut(Output, frozen=True, gc=False, tag="handover", kw_only=True):
    """The state of this key for another one (R8); with ``bypass`` it is history to load (R10)."""

    to: str
    state: bytes
    bypass: bool = False


class ForwardedOut(Output, frozen=True, gc=False, tag="forwarded", kw_only=True):
    """A signal of this key for the one that it turned out to be, once that has merged (R8)."""

    to: str
    handover: str
    signal: bytes
    hops: int = 1


class Erased(Output, frozen=True, gc=False, tag="erased", kw_only=True):
    """Delete what is known of the user until ``at``; a mark stays until ``until`` (R32).

    ``sequence`` is newer than that of every flow state before.
    """

    sequence: int
    until: int


class StateExport(Output, frozen=True, gc=False, tag="state_export", kw_only=True):
    """All that is remembered of the user, readable, to be imported again."""

    data: Data


class Emitted(Output, frozen=True, gc=False, tag="emitted", kw_only=True):
    """An event of the product's own, for other systems."""

    name: str
    properties: Data
    flow: str
    step: str


class ParticipantUpdate(Output, frozen=True, gc=False, tag="participant_update", kw_only=True):
    """A participant of a campaign was ``created`` or ``updated``: all that it is from now on (R21).

    ``changed`` are the fields that changed, ``status`` among them. ``flow`` and ``step`` are None
    where an upload or an entry changed it.
    """

    campaign: str
    what: str
    status: str | None = None
    fields: Data = {}
    changed: tuple[str, ...] = ()
    cause: str
    flow: str | None = None
    step: str | None = None


AnyOutput = (
    Message
    | Cancel
    | Webhook
    | Export
    | FlowState
    | ProfileUpdate
    | AudienceUpdate
    | Transition
    | Communication
    | Conversion
    | Rejection
    | DeadLetter
    | Call
    | HandoverOut
    | Emitted
    | ParticipantUpdate
    | ForwardedOut
    | Erased
    | StateExport
)


class Done(msgspec.Struct, frozen=True, gc=False):
    """The new state, the outputs in order, and when to call again with ``Time`` (None: never)."""

    state: bytes | None
    outputs: tuple[AnyOutput, ...]
    wake_at: int | None


class Behind(msgspec.Struct, frozen=True, gc=False):
    """The control log is not complete until this instant: read it again, and retry."""

    until: int


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyOutput).decode
