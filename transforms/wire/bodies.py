"""Outputs in JSON, with the bytes that ``to_message`` makes, at a fraction of its cost.

An output has the fields of its schema, in order, so msgspec writes it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, final

import msgspec

from transforms.flows.protocol.outputs import AnyOutput
from transforms.wire.rows import INTEGERS, TYPES, fields

encode: Final = msgspec.json.Encoder(order="deterministic").encode
"""Encodes an output, with its kind before its fields."""
SAFE: Final = 1 << 61
"""Integers between this and its negative need no exact check; compiled code compares them without a call."""


@final
class JsonBodies:
    """Makes bodies of outputs of some kinds."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._checks: dict[Any, _Check] = {TYPES[kind]: _Check(kind) for kind in kinds}

    def of(self, output: AnyOutput, encoded: bytes) -> bytes | None:
        """Return the body of an output that ``encode`` has encoded.

        None if an integer may be too large for its schema or is in the place of a double, or if the kind
        is another one. Other fields are trusted to have the types of their struct.
        """
        check = self._checks.get(type(output))
        if check is None:
            return None
        for name in check.integers:
            number = getattr(output, name)
            if isinstance(number, int) and not -SAFE < number < SAFE:
                return None
        for name in check.doubles:
            if isinstance(getattr(output, name), int):  # a reader sees 1.0, not 1
                return None
        return b"{" + encoded[check.start :]


@final
class _Check:
    """What to look at in an output of a kind; ``start`` is where its fields begin."""

    def __init__(self, kind: str) -> None:
        self.start = len(f'{{"is":"{kind}",')
        self.integers = tuple(field.name for field in fields(kind) if field.kind in INTEGERS)
        self.doubles = tuple(field.name for field in fields(kind) if field.kind == "double")
