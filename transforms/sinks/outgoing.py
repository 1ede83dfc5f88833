"""Outputs as messages of topics: which topic, which body, which attributes; for every broker."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.wire import Encoding
from transforms.flows.protocol.outputs import AnyOutput, Emitted, ForwardedOut, HandoverOut
from transforms.metrics import Metric
from transforms.wire.messages import LONGEST_NAME, TopicMessage, to_event, to_message
from transforms.wire.rows import Record, name_of

KINDS = (
    "message",
    "cancel",
    "webhook",
    "export",
    "profile_update",
    "audience_update",
    "call",
    "transition",
    "communication",
    "conversion",
    "rejection",
    "participant_update",
    "dead_letter",
    "erased",
    "state_export",
    "flow_state",
)
"""Kinds with their own topic."""

LOOPED = frozenset(("emitted", "handover", "forwarded"))
"""Kinds that go to the events topic as records of the envelope."""

EVENTS = "events"


class Outgoing(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An encoded output and where it goes.

    ``stamped`` is the attribute that gets the time of publication, ms UTC; empty for none.
    """

    topic: str
    id: str
    space: str
    kind: str
    schema: str
    encoding: str
    flow: str
    user: str
    data: bytes
    stamped: str = ""


def topics_of(place: str) -> dict[str, str]:
    """Return the topic of each kind: the place, and the name of the kind."""
    named = {kind: kind for kind in KINDS} | dict.fromkeys(sorted(LOOPED), EVENTS)
    return {kind: place + name for kind, name in named.items()}


def outgoing_of(
    space: str, output: Record, topics: Mapping[str, str], encoding: Encoding, most: int
) -> Outgoing | str:
    """Encode an output for its topic, or return why a broker would reject it.

    ``most`` is the limit of a body, in bytes.
    """
    topic = topics.get(name_of(output))
    if topic is None or isinstance(output, Metric):
        return f"there is no topic for {name_of(output)}"
    found = _encode(space, output, topic, encoding)
    if len(found.data) > most:
        return f"its body has more than {most} bytes"
    if any(len(name.encode()) > LONGEST_NAME for name in (found.id, found.user, space, found.flow)):
        return f"its id, user, space or flow has more than {LONGEST_NAME} bytes"
    return found


def _encode(space: str, output: AnyOutput, topic: str, encoding: Encoding) -> Outgoing:
    message: TopicMessage
    if isinstance(output, Emitted | HandoverOut | ForwardedOut):
        message = to_event(space, output, encoding)
    else:
        message = to_message(space, output, encoding)
    return Outgoing(
        topic=topic,
        id=output.id,
        space=space,
        kind=name_of(output),
        schema=message.attributes["schema"],
        encoding=encoding,
        flow=getattr(output, "flow", None) or "",
        user=message.ordering_key,
        data=message.data,
    )


def attributes(output: Outgoing) -> dict[str, str]:
    """Return the attributes that a consumer reads before decoding, and may filter by."""
    return {
        "id": output.id,
        "space": output.space,
        "kind": output.kind,
        "schema": output.schema,
        "encoding": output.encoding,
        "flow": output.flow,
    }
