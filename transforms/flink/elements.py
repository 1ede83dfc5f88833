"""The types of elements between the functions of the Flink job."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from pyflink.common import Types

Named = tuple[str, bytes]
"""The key of Flink, and what is for it: an encoded signal, or the packed outputs of a step.

Outputs that need no step, the dead letters of messages, take the same way with ``LETTER`` before their
key: a second stream would separate the function of the users from the sink.
"""

LETTER = "!"

NAMED = Types.TUPLE([Types.STRING(), Types.PRIMITIVE_ARRAY(Types.BYTE())])

MESSAGE = Types.ROW_NAMED(
    ["topic", "name", "body", "headers"],
    [
        Types.STRING(),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.MAP(Types.STRING(), Types.PRIMITIVE_ARRAY(Types.BYTE())),
    ],
)
"""A record for Kafka: its topic, key, value and headers."""

LINES = Types.ROW_NAMED(["lines"], [Types.PRIMITIVE_ARRAY(Types.BYTE())])
"""The lines of a step, for a file."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[bytes]).decode


def name_of(element: Named) -> str:
    """Return the key of Flink of an element."""
    return element[0]


def pack_outputs(encoded: Iterable[bytes]) -> bytes:
    """Put the outputs of one step into one element, since each element costs to cross to Java."""
    return _pack(list(encoded))


def unpack_outputs(packed: bytes) -> list[bytes]:
    """Return the outputs of one step, in order."""
    return _unpack(packed)
