"""What can happen to a user: one closed union (semantics, section 2).

Every signal has an id, its own time and, where a transport gave one, its receipt; the
user it concerns is part of it. Times are ms UTC. On a wire they are tagged msgpack or JSON.
"""

from __future__ import annotations

from typing import Any, Final, Literal, final

import msgspec

STATUSES = (
    "planned", "active", "sent", "delivered", "read", "opened", "clicked", "replied", "completed",
    "no_response", "failed", "bounced", "canceled", "skipped", "expired", "unknown", "unsubscribed",
)  # fmt: skip
"""The statuses of a communication (semantics, section 2)."""

OWN_STATUSES = ("planned", "active", "canceled", "skipped")
"""Statuses that sending itself gives: no signal reports them, so nothing can wait for one."""

AWAITED_STATUSES = tuple(status for status in STATUSES if status not in OWN_STATUSES)
"""Statuses that a signal may report, so that a step can wait for them."""

FINAL_STATUSES: Final = frozenset(
    "completed no_response failed bounced canceled skipped expired unknown".split()
)

Data = dict[str, Any]


class ExternalSignal(
    msgspec.Struct, frozen=True, gc=False, tag_field="is", omit_defaults=True, kw_only=True
):
    """Base of what arrives from outside: ``received`` None means that no receipt is known (R3)."""

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

    ``becomes`` is the key that this one turns out to be: an identify that names both (R8).
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
    """A communication reached a status; ``data`` holds a reply, digits, duration, cost."""

    communication: str
    status: str
    data: Data = {}


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
    """Put the user into a flow: Flow API, launch, another flow (I9, R22); or upload a participant.

    ``operation`` "upload": ``flow`` names the campaign, and ``participant`` is one row of the
    upload; the id is that of (upload, row), so a row that comes twice counts once (R21).
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
    """An order about this user; ``flow`` None means all flows. ``wake`` only looks at the state."""

    what: Literal["hold", "resume", "stop", "suppress", "erase", "export", "import", "wake"]
    flow: str | None = None
    data: Data = {}


@final
class Handover(
    ExternalSignal, frozen=True, gc=False, tag="handover", omit_defaults=True, kw_only=True
):
    """Another key's state, to be merged into this one (R8)."""

    source: str
    state: bytes


@final
class Forwarded(
    ExternalSignal, frozen=True, gc=False, tag="forwarded", omit_defaults=True, kw_only=True
):
    """A signal of another key, which is this one by now; it waits for that handover, if any (R8).

    ``hops`` counts the keys that passed it on.
    """

    source: str
    handover: str = ""
    signal: bytes
    hops: int = 1


@final
class Time(msgspec.Struct, frozen=True, gc=False, tag_field="is", tag="time"):
    """No signal of this user with a handling time before ``at`` is still to come (R1)."""

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


@final
class InternalSignal(msgspec.Struct, frozen=True, gc=False):
    """A signal that handling another one raised (section 3, step 7); it never leaves the core.

    ``causes`` are the sessions that it comes from, ``source`` the last of them; ``changed`` maps
    traits to their values before; ``applied`` says that the state holds it already; ``flow`` is
    the one that enrolls in another, or leaves it. ``claimer`` got the message that a status
    ``replied`` tells of: a session, or an entry; empty if nobody did (R13).
    """

    signal: Signal
    depth: int
    causes: frozenset[str] = frozenset()
    changed: Data = {}
    applied: bool = True
    source: str = ""
    flow: str = ""
    claimer: str = ""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Signal).decode
