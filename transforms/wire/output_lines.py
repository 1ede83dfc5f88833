"""Outputs as lines of JSON, each with its space and schema: what a job writes that has no broker."""

from __future__ import annotations

import msgspec

from transforms.flows.protocol.outputs import AnyOutput
from transforms.wire.messages import from_message, to_message

FOLDER = ".lines"
"""The folder of the files of lines, in that of the tables that are made of them."""


class _Line(msgspec.Struct, frozen=True, gc=False):
    space: str
    schema: str
    body: msgspec.Raw


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


def to_line(space: str, output: AnyOutput) -> bytes:
    """Encode an output, without the end of the line."""
    message = to_message(space, output)
    return _encode(_Line(space, message.attributes["schema"], msgspec.Raw(message.data)))


def of_line(line: bytes) -> tuple[str, AnyOutput]:
    """Decode a line to a space and an output. Raises WireError or msgspec.MsgspecError."""
    found = _decode(line)
    attributes = {"schema": found.schema, "encoding": "json"}
    return found.space, from_message(bytes(found.body), attributes)
