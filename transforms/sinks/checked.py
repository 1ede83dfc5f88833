"""The result of a write, and the check before it: every output must fit its schema.

An output that does not fit is rejected and reported by its id, without its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from transforms.wire.rows import Record, canonical, from_row, name_of, problem, to_row

MAX_BAD = 100
LONGEST_ID = 256
"""A longer id is cut to so many characters."""


class BadRow(msgspec.Struct, frozen=True, gc=False):
    """A rejected row: its id, if it has one, and the reason."""

    id: str
    detail: str


class Wrote(msgspec.Struct, frozen=True, gc=False):
    """The result of a write: outputs written, ``stale`` (the sink has one as new), or rejected.

    ``bad`` holds the first hundred of ``bad_rows`` rejected outputs.
    """

    written: int = 0
    stale: int = 0
    bad_rows: int = 0
    bad: tuple[BadRow, ...] = ()


class Refused:
    """Collects the rejected outputs of a write."""

    def __init__(self) -> None:
        self.count = 0
        self._bad: list[BadRow] = []

    def add(self, ident: object, detail: str) -> None:
        self.count += 1
        if len(self._bad) < MAX_BAD:
            self._bad.append(BadRow(str(ident)[:LONGEST_ID], detail))

    @property
    def bad(self) -> tuple[BadRow, ...]:
        """The first hundred of them."""
        return tuple(self._bad)

    def wrote(self, written: int, stale: int = 0) -> Wrote:
        """Return the result of the write."""
        return Wrote(written, stale, self.count, self.bad)


def fitting(
    outputs: Iterable[tuple[str, Record]], refused: Refused
) -> Iterator[tuple[str, Record]]:
    """Yield the outputs that fit their schemas, as a reader will see them; reject the others."""
    for space, output in outputs:
        found = _read_back(output)
        if isinstance(found, str):
            refused.add(getattr(output, "id", ""), found)
        else:
            yield space, found


def _read_back(output: Record) -> Record | str:
    """Convert an output to a row and back, or return why that is impossible."""
    name = name_of(output)
    try:
        row = to_row(output)
        canonical(row)  # a lone surrogate fits a string, but cannot be encoded
        return problem(name, row) or from_row(name, row)
    except msgspec.ValidationError as error:
        return str(error)
    except (TypeError, ValueError, RecursionError):
        return "it cannot be encoded"
