"""Outputs to messages of a topic, and messages of the events topic to signals.

A message's ``id`` is the permanent id of the output (R30). Its ordering key is the user, so that a
topic keeps the order per user.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

import schemas
from schemas import wire
from schemas.wire import Encoding, WireError
from transforms.flows.protocol import control_records, outputs, signals
from transforms.flows.protocol.control_records import ControlRecord
from transforms.flows.protocol.outputs import AnyOutput
from transforms.flows.protocol.signals import Signal
from transforms.wire.decode import decode_json, decode_row
from transforms.wire.raw import Bad
from transforms.wire.rows import EPOCH, MILLISECOND, Row, canonical, from_row, name_of, to_row

LONGEST_NAME = 1024
"""Pub/Sub's limit for an attribute or an ordering key, in bytes."""

ENVELOPE_TYPES = {
    "event": "track",
    "profile": "identify",
    "audience": "audience",
    "communication": "communication",
    "inbound": "inbound",
    "enter": "enter",
    "call_result": "call_result",
    "command": "command",
    "handover": "handover",
    "forwarded": "forwarded",
}
"""The envelope's ``type`` by kind of signal."""
NAMES = {
    "id": "messageId",
    "user": "userId",
    "time": "timestamp",
    "received": "receivedAt",
    "name": "event",
    "set": "traits",
    "member_of": "memberOf",
}
"""Fields with another name in the envelope."""

Looped = outputs.Emitted | outputs.HandoverOut | outputs.ForwardedOut
"""Outputs that go back to the events topic, because they are for another key."""

ENVELOPES = frozenset(schemas.INPUTS)


class TopicMessage(msgspec.Struct, frozen=True, gc=False):
    """A message to publish: its body, attributes and ordering key."""

    data: bytes
    attributes: dict[str, str]
    ordering_key: str


def to_message(space: str, output: AnyOutput, encoding: Encoding = "json") -> TopicMessage:
    """Encode an output for the topic of its kind."""
    name = name_of(output)
    return _message(space, name, to_row(output), output.id, output.user, encoding)


def to_event(space: str, output: Looped, encoding: Encoding = "json") -> TopicMessage:
    """Encode an output for the events topic, as a record of the envelope."""
    row: Row = {"messageId": output.id, "timestamp": output.at}
    match output:
        case outputs.Emitted():
            properties = canonical(output.properties).decode()
            row |= {"type": "track", "event": output.name, "properties": properties}
            return _message(
                space, "event", row | _user(output.user), output.id, output.user, encoding
            )
        case outputs.HandoverOut():
            row |= {"type": "handover", "source": output.user, "state": output.state}
            row |= {"bypass": output.bypass}
            return _message(
                space, "handover_in", row | _user(output.to), output.id, output.to, encoding
            )
        case outputs.ForwardedOut():
            row |= {"type": "forwarded", "source": output.user, "signal": output.signal}
            row |= {"handover": output.handover, "hops": output.hops, **_user(output.to)}
            return _message(space, "forwarded_in", row, output.id, output.to, encoding)


def _user(user: str) -> Row:
    anonymous = user.removeprefix("anon:")
    return {"anonymousId": anonymous} if anonymous != user else {"userId": user}


def _message(
    space: str, name: str, row: Row, ident: str, user: str, encoding: Encoding
) -> TopicMessage:
    attributes = {"id": ident, "space": space, **wire.attributes(name, encoding)}
    return TopicMessage(wire.encode(name, row, encoding), attributes, user)


def from_message(data: bytes, attributes: Mapping[str, str]) -> AnyOutput:
    """Decode an output from its topic. Raises WireError."""
    name, row = wire.decode(data, dict(attributes))
    if name not in schemas.OUTPUTS:
        raise WireError("unknown_schema", f"{name} is not an output")
    try:
        return from_row(name, row)  # type: ignore[return-value]  # metrics are refused above
    except (msgspec.MsgspecError, RecursionError) as error:
        raise WireError("invalid", str(error)) from None


def to_signal(
    data: bytes, attributes: Mapping[str, str], published: int | None = None, place: str = ""
) -> Signal | Bad:
    """Decode a message of the events topic; ``place`` names it in a ``Bad``.

    Without a ``schema`` attribute it is JSON of the envelope. ``published``, the publish time, is
    the receipt of a record that has none (R3).
    """
    found = _signal(data, attributes, place)
    if isinstance(found, Bad | signals.Time) or found.received is not None or published is None:
        return found
    return msgspec.structs.replace(found, received=published)


def _signal(data: bytes, attributes: Mapping[str, str], place: str) -> Signal | Bad:
    name = attributes.get("schema", "").partition(":")[0]
    if name and name not in ENVELOPES:
        return Bad(place, 0, "unknown_schema", "its schema is not one of the envelope's")
    if attributes.get("encoding", "json") == "json":
        return decode_json(data, place)
    try:
        return decode_row(wire.decode(data, dict(attributes))[1], None, place, 0)
    except WireError as error:
        return Bad(place, 0, error.reason, str(error))


def is_json_event(attributes: Mapping[str, str]) -> bool:
    """Return True if a message's body is JSON of the envelope, as its attributes say."""
    schema = attributes.get("schema", "event")
    return attributes.get("encoding", "json") == "json" and schema.partition(":")[0] == "event"


def to_envelope(signal: Signal) -> bytes:
    """Encode a signal as the JSON record that decodes to the same signal; not for ``Time``."""
    said: dict[str, Any] = msgspec.to_builtins(signal)
    kind = said.pop("is")
    for moment in {"time", "received"} & said.keys():
        said[moment] = (EPOCH + said[moment] * MILLISECOND).isoformat(timespec="milliseconds")
    row = {NAMES.get(name, name): value for name, value in said.items()}
    del row["userId"]
    row |= _user(signal.user)
    becomes = row.pop("becomes", None)
    if becomes is not None and signal.user.startswith("anon:"):
        row["userId"] = becomes
    elif becomes is not None:
        kind, row = "alias", row | {"previousId": signal.user, "userId": becomes}
    return msgspec.json.encode({"type": ENVELOPE_TYPES.get(kind, kind)} | row)


_CONTROL_COLUMNS = ("sequence", "effective_at", "is", "flow", "by", "made_at", "note")


def control_row(record: ControlRecord) -> Row:
    """Convert a record of the control log to a row of its schema."""
    said: dict[str, Any] = msgspec.to_builtins(record)
    common = {name: said.pop(name, None) for name in _CONTROL_COLUMNS}
    return {**common, "data": canonical(said).decode()}


def control_of(row: Row) -> ControlRecord:
    """Convert a row back to the record. Raises msgspec.ValidationError."""
    columns = {name: value for name, value in row.items() if value is not None}
    del columns["data"]
    said = {**msgspec.json.decode(row["data"]), **columns}
    found: ControlRecord = msgspec.convert(said, control_records.ControlRecord)
    return found
