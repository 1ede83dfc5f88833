"""What a sink says of a write, and the check that comes first: an output fits its schema.

One that does not is left out and told with its id, never with its values; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from transforms.wire.rows import Record, canonical, from_row, name_of, problem, to_row

MAX_BAD = 100


class BadRow(msgspec.Struct, frozen=True, gc=False):
    """A row left out: its id, if it has one, and what is wrong with it."""

    id: str
    detail: str


class Wrote(msgspec.Struct, frozen=True, gc=False):
    """What became of a call's outputs: written, ``stale`` since one as new was there, or bad.

    ``bad`` holds the first hundred of ``bad_rows`` outputs left out.
    """

    written: int = 0
    stale: int = 0
    bad_rows: int = 0
    bad: tuple[BadRow, ...] = ()


class Refused:
    """Collects the outputs of a call that are left out."""

    def __init__(self) -> None:
        self.count = 0
        self._bad: list[BadRow] = []

    def add(self, ident: object, detail: str) -> None:
        self.count += 1
        if len(self._bad) < MAX_BAD:
            self._bad.append(BadRow(str(ident)[:256], detail))

    @property
    def bad(self) -> tuple[BadRow, ...]:
        """The first of them."""
        return tuple(self._bad)

    def wrote(self, written: int, stale: int = 0) -> Wrote:
        """Say what became of the call's outputs."""
        return Wrote(written, stale, self.count, self.bad)


def fitting(
    outputs: Iterable[tuple[str, Record]], refused: Refused
) -> Iterator[tuple[str, Record]]:
    """Yield the outputs that fit their schemas, as a reader will get them; refuse the others."""
    for space, output in outputs:
        found = _read_back(output)
        if isinstance(found, str):
            refused.add(getattr(output, "id", ""), found)
        else:
            yield space, found


def _read_back(output: Record) -> Record | str:
    """Turn an output into a row and back, or say what keeps it from that."""
    name = name_of(output)
    try:
        row = to_row(output)
        canonical(row)  # half a character fits a string, but no file and no wire
        return problem(name, row) or from_row(name, row)
    except msgspec.ValidationError as error:
        return str(error)
    except (TypeError, ValueError, RecursionError):
        return "it cannot be encoded"
