"""The signals that the core handles, as a closed union.

Every signal has an id, a user, its event time and, if known, its ingestion time, in ms UTC.
On the wire they are tagged msgpack or JSON.
"""

from __future__ import annotations

from typing import Any, Final, Literal, final

import msgspec

STATUSES = (
    "planned", "active", "sent", "delivered", "read", "opened", "clicked", "replied", "completed",
    "no_response", "failed", "bounced", "canceled", "skipped", "expired", "unknown", "unsubscribed",
)  # fmt: skip
"""The statuses of a communication."""

OWN_STATUSES = ("planned", "active", "canceled", "skipped")
"""Statuses that the core sets itself: no signal reports them, so no step can wait for one."""

AWAITED_STATUSES = tuple(status for status in STATUSES if status not in OWN_STATUSES)
"""Statuses that a signal can report, so that a step can wait for them."""

FINAL_STATUSES: Final = frozenset(
    "completed no_response failed bounced canceled skipped expired unknown".split()
)

Data = dict[str, Any]


class ExternalSignal(
    msgspec.Struct, frozen=True, gc=False, tag_field="is", omit_defaults=True, kw_only=True
):
    """Base of all signals from outside; ``received`` is the ingestion time, if known (R3)."""

    id: str
    user: str
    time: int
    received: int | None = None
    sequence: int = 0
    bypass: bool = False
    backfill: bool = False


@final
class Event(ExternalSignal, frozen=True, gc=False, tag="event", omit_defaults=True, kw_only=True):
    """A tracked event."""

    name: str
    properties: Data = {}


@final
class ProfileChange(
    ExternalSignal, frozen=True, gc=False, tag="profile", omit_defaults=True, kw_only=True
):
    """Traits to set or unset, tags, consent by channel, topic or ``channel:topic``.

    ``becomes`` is the other key of the user, from an identify that names both (R8).
    """

    set: Data = {}
    unset: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()
    consent: dict[str, bool] = {}
    becomes: str | None = None


@final
class AudienceChange(
    ExternalSignal, frozen=True, gc=False, tag="audience", omit_defaults=True, kw_only=True
):
    """The user entered or left an audience."""

    audience: str
    entered: bool


@final
class CommunicationUpdate(
    ExternalSignal, frozen=True, gc=False, tag="communication", omit_defaults=True, kw_only=True
):
    """A new status of a communication; ``data`` can have a reply, digits, duration or cost.

    ``attempt`` is the number of the attempt that it reports; 0 means the one sent last (R15).
    """

    communication: str
    status: str
    data: Data = {}
    attempt: int = 0


@final
class Inbound(
    ExternalSignal, frozen=True, gc=False, tag="inbound", omit_defaults=True, kw_only=True
):
    """A message or a call from the user."""

    channel: str
    number: str
    text: str = ""
    call: bool = False
    communication: str | None = None


@final
class Enter(ExternalSignal, frozen=True, gc=False, tag="enter", omit_defaults=True, kw_only=True):
    """An entry into a flow by the Flow API, a launch or another flow (I9, R22), or an upload.

    With the ``operation`` "upload", ``flow`` is the campaign and ``participant`` one row of the
    upload; the id is derived from the upload and the row, so that a repeated row counts once (R21).
    """

    flow: str
    key: str = ""
    data: Data = {}
    profile: Data = {}
    participant: Data = {}
    launch: str | None = None
    member_of: str | None = None
    operation: str | None = None


@final
class CallResult(
    ExternalSignal, frozen=True, gc=False, tag="call_result", omit_defaults=True, kw_only=True
):
    """The answer to a ``Call``."""

    call: str
    ok: bool
    result: Data = {}
    error: str = ""


@final
class Command(
    ExternalSignal, frozen=True, gc=False, tag="command", omit_defaults=True, kw_only=True
):
    """A command about this user; ``flow`` None means all flows. ``wake`` only fires due timers."""

    what: Literal["hold", "resume", "stop", "suppress", "erase", "export", "import", "wake"]
    flow: str | None = None
    data: Data = {}


@final
class Handover(
    ExternalSignal, frozen=True, gc=False, tag="handover", omit_defaults=True, kw_only=True
):
    """The state of another key, to be merged into this one (R8)."""

    source: str
    state: bytes


@final
class Forwarded(
    ExternalSignal, frozen=True, gc=False, tag="forwarded", omit_defaults=True, kw_only=True
):
    """A signal of another key of this user; it waits for the handover that it names (R8).

    ``hops`` counts the keys that forwarded it.
    """

    source: str
    handover: str = ""
    signal: bytes
    hops: int = 1


@final
class Time(msgspec.Struct, frozen=True, gc=False, tag_field="is", tag="time"):
    """The watermark: no signal of this user with an earlier handling time will follow (R1)."""

    user: str
    at: int


Signal = (
    Event
    | ProfileChange
    | AudienceChange
    | CommunicationUpdate
    | Inbound
    | Enter
    | CallResult
    | Command
    | Handover
    | Forwarded
    | Time
)


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Signal).decode
