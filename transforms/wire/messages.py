"""Outputs as messages of a topic, and messages of the events topic as signals.

A message's ``id`` is the output's own, permanent over repeats (R30); its ordering key is the
user, so that a topic keeps each user's order.
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
from transforms.wire.rows import EPOCH, MILLISECOND, Row, canonical, from_row, to_row

LONGEST_NAME = 1024
"""Bytes of an attribute or an ordering key: what Pub/Sub takes."""

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
"""The ``type`` of the envelope for each kind of signal."""
NAMES = {
    "id": "messageId",
    "user": "userId",
    "time": "timestamp",
    "received": "receivedAt",
    "name": "event",
    "set": "traits",
    "member_of": "memberOf",
}
"""Fields that the envelope calls otherwise."""

Looped = outputs.Emitted | outputs.HandoverOut | outputs.ForwardedOut
"""Outputs that go to the events topic, where another key must see them."""

ENVELOPES = frozenset(schemas.INPUTS)


class TopicMessage(msgspec.Struct, frozen=True, gc=False):
    """A message to publish: its body, attributes and ordering key."""

    data: bytes
    attributes: dict[str, str]
    ordering_key: str


def to_message(space: str, output: AnyOutput, encoding: Encoding = "json") -> TopicMessage:
    """Make the message of an output for the topic of its kind."""
    name = str(output.__struct_config__.tag)
    return _message(space, name, to_row(output), output.id, output.user, encoding)


def to_event(space: str, output: Looped, encoding: Encoding = "json") -> TopicMessage:
    """Make the message of an output for the events topic, as the envelope that it is there."""
    row: Row = {"messageId": output.id, "timestamp": output.at}
    match output:
        case outputs.Emitted():
            properties = canonical(output.properties).decode()
            row |= {"type": "track", "event": output.name, "properties": properties}
            return _message(
                space, "event", row | _whose(output.user), output.id, output.user, encoding
            )
        case outputs.HandoverOut():
            row |= {"type": "handover", "source": output.user, "state": output.state}
            row |= {"bypass": output.bypass}
            return _message(
                space, "handover_in", row | _whose(output.to), output.id, output.to, encoding
            )
        case outputs.ForwardedOut():
            row |= {"type": "forwarded", "source": output.user, "signal": output.signal}
            row |= {"handover": output.handover, "hops": output.hops, **_whose(output.to)}
            return _message(space, "forwarded_in", row, output.id, output.to, encoding)


def _whose(user: str) -> Row:
    anonymous = user.removeprefix("anon:")
    return {"anonymousId": anonymous} if anonymous != user else {"userId": user}


def _message(
    space: str, name: str, row: Row, ident: str, user: str, encoding: Encoding
) -> TopicMessage:
    attributes = {"id": ident, "space": space, **wire.attributes(name, encoding)}
    return TopicMessage(wire.encode(name, row, encoding), attributes, user)


def from_message(data: bytes, attributes: Mapping[str, str]) -> AnyOutput:
    """Read an output back from its topic; raises WireError for what is none."""
    name, row = wire.decode(data, dict(attributes))
    if name not in schemas.OUTPUTS:
        raise WireError("unknown_schema", f"{name} is no output")
    try:
        return from_row(name, row)  # type: ignore[return-value]  # metrics are refused above
    except msgspec.MsgspecError as error:
        raise WireError("invalid", str(error)) from None


def to_signal(
    data: bytes, attributes: Mapping[str, str], published: int | None = None, place: str = ""
) -> Signal | Bad:
    """Read a message of the events topic; ``place`` names it in what is bad.

    Without a ``schema`` it is JSON of the envelope. ``published``, the broker's instant, is the
    receipt of a record that brings none (R3).
    """
    found = _signal(data, attributes, place)
    if isinstance(found, Bad | signals.Time) or found.received is not None or published is None:
        return found
    return msgspec.structs.replace(found, received=published)


def _signal(data: bytes, attributes: Mapping[str, str], place: str) -> Signal | Bad:
    name = attributes.get("schema", "").partition(":")[0]
    if name and name not in ENVELOPES:
        return Bad(place, 0, "unknown_schema", "its schema is none of an event's envelope")
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
    """Write a signal as the JSON record that is read as the same signal; not ``Time``."""
    said: dict[str, Any] = msgspec.to_builtins(signal)
    kind = said.pop("is")
    for moment in {"time", "received"} & said.keys():
        said[moment] = (EPOCH + said[moment] * MILLISECOND).isoformat(timespec="milliseconds")
    row = {NAMES.get(name, name): value for name, value in said.items()}
    del row["userId"]
    row |= _whose(signal.user)
    becomes = row.pop("becomes", None)
    if becomes is not None and signal.user.startswith("anon:"):
        row["userId"] = becomes
    elif becomes is not None:
        kind, row = "alias", row | {"previousId": signal.user, "userId": becomes}
    return msgspec.json.encode({"type": ENVELOPE_TYPES.get(kind, kind)} | row)


class _Kind(msgspec.Struct, frozen=True, gc=False, rename={"kind": "is"}):
    kind: str


_read_kind = msgspec.msgpack.Decoder(_Kind).decode


def kind_of(encoded: bytes) -> str:
    """Read the kind of an encoded output."""
    return _read_kind(encoded).kind


def control_row(record: ControlRecord) -> Row:
    """Turn a record of the control log into a row of its schema."""
    said: dict[str, Any] = msgspec.to_builtins(record)
    common = {"sequence": said.pop("sequence"), "effective_at": said.pop("effective_at")}
    kind, flow = said.pop("is"), said.pop("flow", None)
    return {**common, "is": kind, "flow": flow, "data": canonical(said).decode()}


def control_of(row: Row) -> ControlRecord:
    """Turn such a row back; raises msgspec.ValidationError where it does not fit."""
    said = {**msgspec.json.decode(row["data"]), **row}
    del said["data"]
    if said["flow"] is None:
        del said["flow"]
    found: ControlRecord = msgspec.convert(said, control_records.ControlRecord)
    return found
