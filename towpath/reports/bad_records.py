"""Bad records as text: the same problem is told once, with its count and three examples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

EXAMPLES = 3
MOST = 1000
_PARTS = re.compile(r'("[^"]*")|\d+')


class Group(msgspec.Struct):
    """One problem: its first text, how many records have it, and the places of the first few."""

    text: str
    count: int
    places: list[str]

    def lines(self) -> Iterator[str]:
        """Yield the first record's place and problem, and where else it occurs."""
        yield f"{self.places[0]}{self.text}"
        others = self.count - 1
        if others:
            shown = ", ".join(self.places[1:])
            also = "1 more record" if others == 1 else f"{others:,} more records"
            example = "" if others < EXAMPLES else "for example "
            yield f"  the same in {also}: {example}{shown}"


class Groups:
    """Problems in the order of their first record; numbers outside of quotes do not tell them apart."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Group] = {}
        self.others = 0

    def add(self, place: str, reason: str, text: str) -> None:
        """Add a record: ``text`` follows its place."""
        self.add_all(reason, text, 1, [place])

    def add_all(self, reason: str, text: str, count: int, places: Iterable[str]) -> None:
        """Add several records with the same problem; ``places`` are the first ones."""
        kind = reason, _PARTS.sub(lambda match: match[1] or "#", text)
        group = self._found.get(kind)
        if group is None and len(self._found) >= MOST:
            self.others += count
            return
        if group is None:
            group = self._found[kind] = Group(text, 0, [])
        group.count += count
        group.places = [*group.places, *places][:EXAMPLES]

    def __iter__(self) -> Iterator[Group]:
        return iter(self._found.values())
