"""The envelope of records: Segment's track and identify calls, and the project's own kinds.

One struct per kind. Types bound lengths and numbers, so a hostile record is refused while it is
decoded. Unknown fields are ignored, because Segment adds fields.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1, max_length=256)]
Short = Annotated[str, Meta(max_length=256)]
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Long = Annotated[str, Meta(max_length=32 * 1024)]
Value = None | bool | Whole | float | str | list[Any] | dict[str, Any]
Values = dict[str, Value]
Names = Annotated[tuple[Text, ...], Meta(max_length=1000)]
Consent = Annotated[dict[Text, bool], Meta(max_length=1000)]
Time = datetime | Whole


class Envelope(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, rename="camel", tag_field="type"
):
    """The fields of every record; a time is ISO 8601 text or a number of ms since 1970."""

    message_id: Text
    timestamp: Time
    user_id: Text | None = None
    anonymous_id: Text | None = None
    received_at: Time | None = None
    sent_at: Time | None = None
    sequence: Whole = 0
    bypass: bool = False
    backfill: bool = False


class Track(Envelope, frozen=True, gc=False, kw_only=True, tag="track"):
    """An event; ``schemas/event.avsc``."""

    event: Text
    properties: Values = {}


class Identify(Envelope, frozen=True, gc=False, kw_only=True, tag="identify"):
    """Traits, tags and consent; ``schemas/profile_change.avsc``."""

    traits: Values = {}
    unset: Names = ()
    tag: Names = ()
    untag: Names = ()
    consent: Consent = {}


class Audience(Envelope, frozen=True, gc=False, kw_only=True, tag="audience"):
    """An audience entered or left; ``schemas/audience_change.avsc``."""

    audience: Text
    entered: bool


class Communication(Envelope, frozen=True, gc=False, kw_only=True, tag="communication"):
    """A status of a communication (delivery report, open, click); ``schemas/communication_update.avsc``."""

    communication: Text
    status: Text
    data: Values = {}
    attempt: Annotated[int, Meta(ge=0, le=1000)] = 0


class Inbound(Envelope, frozen=True, gc=False, kw_only=True, tag="inbound"):
    """A message or a call from the user; ``schemas/inbound.avsc``."""

    channel: Text
    number: Text
    text: Long = ""
    call: bool = False
    communication: Text | None = None


class Enter(Envelope, frozen=True, gc=False, kw_only=True, tag="enter"):
    """An entry into a flow, or a participant uploaded; ``schemas/enter.avsc``."""

    flow: Text
    key: Short = ""
    data: Values = {}
    profile: Values = {}
    participant: Values = {}
    launch: Text | None = None
    member_of: Text | None = None
    operation: Text | None = None


class CallResult(Envelope, frozen=True, gc=False, kw_only=True, tag="call_result"):
    """The answer to a call; ``schemas/call_result.avsc``."""

    call: Text
    ok: bool
    result: Values = {}
    error: Long = ""


class Command(Envelope, frozen=True, gc=False, kw_only=True, tag="command"):
    """A command about a user; ``schemas/command.avsc``."""

    what: Literal["hold", "resume", "stop", "suppress", "erase", "export", "import", "wake"]
    flow: Text | None = None
    data: Values = {}


class Handover(Envelope, frozen=True, gc=False, kw_only=True, tag="handover"):
    """The state of another key (R8); ``schemas/handover_in.avsc``."""

    source: Text
    state: bytes


class Forwarded(Envelope, frozen=True, gc=False, kw_only=True, tag="forwarded"):
    """A signal of another key (R8); ``schemas/forwarded_in.avsc``."""

    source: Text
    handover: Short = ""
    signal: bytes
    hops: Whole = 1


class Alias(Envelope, frozen=True, gc=False, kw_only=True, tag="alias"):
    """Two keys of one user (R8); ``schemas/alias.avsc``."""

    previous_id: Text | None = None


AnyEnvelope = (
    Track
    | Identify
    | Audience
    | Communication
    | Inbound
    | Enter
    | CallResult
    | Command
    | Handover
    | Forwarded
    | Alias
)
KINDS = (
    "track",
    "identify",
    "audience",
    "communication",
    "inbound",
    "enter",
    "call_result",
    "command",
    "handover",
    "forwarded",
    "alias",
)
# Free-form maps and lists: in a table they may be JSON texts.
MAPS = ("properties", "traits", "consent", "data", "profile", "participant", "result")
LISTS = ("unset", "tag", "untag")


class Head(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The fields by which a record of the envelope is recognized."""

    type: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Peek(msgspec.Struct, frozen=True, gc=False):
    """The kind of a record and the name of its event."""

    type: str
    event: str = ""
