"""Outputs in JSON, straight from their encoded form.

They have the bytes that ``to_message`` makes, at a fraction of its cost: msgspec reads all outputs of a step
at once into structs with the fields of their schemas, in order and with their types, and writes each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Union

import msgspec

from transforms.wire.rows import INTEGERS, TYPES, Field, fields

_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_LONG = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_FEW: Final = 16
_ARRAY: Final = 0xDC
"""An array of msgpack with fewer elements has a header of one byte, a longer one this and the length."""


class JsonOutputs:
    """Reads and writes outputs of some kinds."""

    def __init__(self, kinds: Iterable[str]) -> None:
        made = {kind: _struct(kind) for kind in kinds}
        self._tags = {one: (kind, len(f'{{"is":"{kind}",')) for kind, one in made.items()}
        known: Any = Union[tuple(made.values())]  # noqa: UP007
        self._read = msgspec.msgpack.Decoder(list[known]).decode

    def bodies(self, encoded: Sequence[bytes]) -> list[tuple[str, Any, bytes]] | None:
        """Return the kind, the fields and the body of encoded outputs; None if one does not fit its schema,
        or if there are more than 65,535.
        """
        count, found = len(encoded), []
        try:
            few = count < _FEW
            head = bytes((0x90 | count,) if few else (_ARRAY, count >> 8, count & 0xFF))
            for one in self._read(head + b"".join(encoded)):
                kind, length = self._tags[type(one)]
                found.append((kind, one, b"{" + _encode(one)[length:]))
        except (TypeError, ValueError, RecursionError):
            return None
        return found


def _struct(kind: str) -> type[Any]:
    known = {field.name: field for field in msgspec.structs.fields(TYPES[kind])}
    made = [(field.name, *_typed(field, known[field.name])) for field in fields(kind)]
    return msgspec.defstruct(kind, made, tag_field="is", tag=kind, kw_only=True, gc=False)


def _typed(field: Field, known: msgspec.structs.FieldInfo) -> tuple[Any, ...]:
    """Return the type of a field, and its default."""
    given = (None | _LONG if field.optional else _LONG) if field.kind in INTEGERS else known.type
    if known.default_factory is not msgspec.NODEFAULT:
        return given, msgspec.field(default_factory=known.default_factory)
    return (given,) if known.required else (given, known.default)
