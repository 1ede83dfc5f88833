"""The outputs of the core: a closed union, each with a permanent id (R30).

Outputs are plain data, in the order of the decisions. ``at`` is the time of the decision, ms UTC.
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
    """Base of the outputs of a session; each has ``silent``, True for a session in a holdout.

    Of a silent session there are only transitions, communications and conversions.
    """

    flow: str
    version: int
    session: str
    step: str


class Message(FromSession, frozen=True, gc=False, tag="message"):
    """A message to deliver; its id is the idempotency key of all attempts.

    ``communication`` is the communication that it belongs to; an attempt on another channel has
    an id of its own. ``expires`` is the end of its validity, or None. ``agent`` is the sender,
    None for the default of the channel. ``tracking`` says what to track: ``opens`` and ``clicks``
    if true, ``links`` as ``short`` (I31).
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
    silent: bool = False


class Cancel(Output, frozen=True, gc=False, tag="cancel", kw_only=True):
    """A request to the sender to cancel an active communication (C16)."""

    communication: str
    reason: str


class Webhook(FromSession, frozen=True, gc=False, tag="webhook", kw_only=True):
    """An HTTP request to send, without an answer."""

    url: str
    method: str
    connection: str | None
    headers: dict[str, str]
    template: str | None
    template_version: str | None
    data: Data
    silent: bool = False


class Export(FromSession, frozen=True, gc=False, tag="export", kw_only=True):
    """A record for a destination."""

    destination: str
    fields: Data
    on_exit: bool = False
    silent: bool = False


class FlowState(Output, frozen=True, gc=False, tag="flow_state"):
    """The user's current step in every flow, as a full snapshot numbered per user (L11, L12, B7).

    ``flows`` has a map for each live session (flow, version, session, step, since, started);
    ``promotions`` maps each slot to its promotion and when that ends.
    """

    sequence: int
    flows: list[Data]
    promotions: dict[str, Data]


class ProfileUpdate(Output, frozen=True, gc=False, tag="profile_update", kw_only=True):
    """Traits, tags and consent that a step or a link changed."""

    set: Data = {}
    unset: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()
    consent: dict[str, bool] = {}
    flow: str | None = None
    step: str | None = None


class AudienceUpdate(Output, frozen=True, gc=False, tag="audience_update"):
    """The user entered or left an audience that the core maintains."""

    audience: str
    entered: bool
    flow: str | None = None
    step: str | None = None


class Transition(FromSession, frozen=True, gc=False, tag="transition"):
    """One row for each move of a session: ``entered reached waiting left ended`` (R25).

    ``visit`` counts the arrivals of this session at the step, from 1. ``first_arrival`` is True
    if the user reaches this step of the flow for the first time. ``until`` is when a wait ends at
    the latest. ``cause`` is the id of the signal or timer. ``sequence`` is the order within the
    user and within the session: it grows from the instant of the user's first transition.
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
    sequence: int = 0


class Communication(FromSession, frozen=True, gc=False, tag="communication"):
    """One row for each status of a communication.

    A message that is sent has ``parts``, and ``cost`` at the prices of the space.
    ``reported_cost`` is the cost that a delivery report adds.
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
    silent: bool = False


class Conversion(FromSession, frozen=True, gc=False, tag="conversion", kw_only=True):
    """A goal was reached; ``steps`` and ``variants`` are those of the session until then (R24).

    ``first_conversion`` is True if the user reaches this goal of the flow for the first time.
    """

    goal: str
    value: float | None
    entered: int
    cause: str
    steps: tuple[str, ...]
    variants: tuple[str, ...]
    silent: bool
    first_conversion: bool = False


class Rejection(Output, frozen=True, gc=False, tag="rejection", kw_only=True):
    """A signal, entry or value was refused, with the reason code (R7)."""

    reason: str
    cause: str
    flow: str | None = None
    step: str | None = None
    detail: str = ""


class DeadLetter(Output, frozen=True, gc=False, tag="dead_letter", kw_only=True):
    """A signal or timer could not be handled: why, and at which step.

    ``record`` is the complete signal as JSON; it can be published again.
    """

    reason: str
    cause: str
    flow: str | None = None
    step: str | None = None
    detail: str = ""
    record: str | None = None


class Call(FromSession, frozen=True, gc=False, tag="call", kw_only=True):
    """User code or an API to call; the answer comes back as a ``CallResult``.

    ``target`` is a hash of the code, or the address; ``inputs`` go to the code, or to the template
    of the body. ``store`` maps session variables to paths in the JSON of the answer. The session
    waits until ``expires``. ``connection`` is only a name: the output never contains secrets.
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
    silent: bool = False


class HandoverOut(Output, frozen=True, gc=False, tag="handover", kw_only=True):
    """The state of this key, sent to another key (R8); ``bypass`` marks loaded history (R10)."""

    to: str
    state: bytes
    bypass: bool = False


class ForwardedOut(Output, frozen=True, gc=False, tag="forwarded", kw_only=True):
    """A signal of this key, sent to the key that it was merged into (R8)."""

    to: str
    handover: str
    signal: bytes
    hops: int = 1


class Erased(Output, frozen=True, gc=False, tag="erased", kw_only=True):
    """Sinks must delete all data of the user up to ``at``; the tombstone ends at ``until`` (R32).

    ``sequence`` is higher than that of every earlier flow state.
    """

    sequence: int
    until: int


class StateExport(Output, frozen=True, gc=False, tag="state_export", kw_only=True):
    """The complete state of the user as readable data that can be imported again."""

    data: Data


class Emitted(Output, frozen=True, gc=False, tag="emitted", kw_only=True):
    """An event that a flow emits, for other systems."""

    name: str
    properties: Data
    flow: str
    step: str


class ParticipantUpdate(Output, frozen=True, gc=False, tag="participant_update", kw_only=True):
    """A participant of a campaign was ``created`` or ``updated``, with all its fields (R21).

    ``changed`` lists the changed fields, also ``status``. ``flow`` and ``step`` are None for a
    change by an upload or an entry.
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
    """The new state, the outputs in order, and the time of the next ``Time`` signal, if any."""

    state: bytes | None
    outputs: tuple[AnyOutput, ...]
    wake_at: int | None


class Behind(msgspec.Struct, frozen=True, gc=False):
    """The control log is not complete up to this instant: the host reads it again and retries."""

    until: int


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyOutput).decode
