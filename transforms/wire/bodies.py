"""Bodies of outputs in JSON, straight from their encoded form.

They have the bytes that ``to_message`` makes, at a fraction of its cost: msgspec reads an output into a
struct with the fields of its schema, in their order and with their types, and writes that struct.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import msgspec

from transforms.wire.rows import INTEGERS, TYPES, Field, fields

_encode = msgspec.json.Encoder(order="deterministic").encode
_LONG = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


def read_output(kind: str, encoded: bytes) -> Any | None:
    """Return an encoded output with the fields of its schema; None if it does not fit that."""
    try:
        return _decoder(kind).decode(encoded)
    except (ValueError, RecursionError):
        return None


def json_body(output: Any) -> bytes | None:
    """Return the body of what ``read_output`` returned; None if it cannot be encoded."""
    try:
        return _encode(output)
    except (TypeError, ValueError, RecursionError):
        return None


@cache
def _decoder(kind: str) -> msgspec.msgpack.Decoder[Any]:
    known = {field.name: field for field in msgspec.structs.fields(TYPES[kind])}
    made = [(field.name, *_typed(field, known[field.name])) for field in fields(kind)]
    return msgspec.msgpack.Decoder(msgspec.defstruct(kind, made, kw_only=True, gc=False))


def _typed(field: Field, known: msgspec.structs.FieldInfo) -> tuple[Any, ...]:
    """Return the type of a field, and its default."""
    given = (None | _LONG if field.optional else _LONG) if field.kind in INTEGERS else known.type
    if known.default_factory is not msgspec.NODEFAULT:
        return given, msgspec.field(default_factory=known.default_factory)
    return (given,) if known.required else (given, known.default)
