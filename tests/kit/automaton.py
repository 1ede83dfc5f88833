"""The allowed order of a session's rows, from the tables in the core's README."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from tests.packaging.repository import ROOT
from transforms.flows.protocol.outputs import Transition

README = ROOT / "transforms" / "flows" / "README.md"


@cache
def table(head: str) -> dict[str, frozenset[str]]:
    """Read one of the two tables, found by the name of its first column."""
    text = README.read_text(encoding="utf-8").partition(f"| {head} | next")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\w+) \|(.*)\|$", text, re.MULTILINE)
    return {name: frozenset(re.findall(r"\w+", rest)) for name, rest in rows}


def moves(rows: Iterable[Transition]) -> Iterator[tuple[str, str, str]]:
    """Return the pairs of consecutive rows of one session: the column, then both names."""
    before = ""
    reason = ""
    for row in rows:
        if before:
            yield "row", before, row.what
        now = (row.reason or "begun") if row.what == "waiting" else ""
        if reason and now:
            yield "reason", reason, now
        before, reason = row.what, now


def unexpected_moves(rows: Iterable[Transition]) -> Iterator[str]:
    """Return the pairs that are in neither table.

    A session may end with any row if the limit of steps is reached, even before its first step.
    """
    rows = [row for row in rows if row.reason != "too_many_steps"]
    for head, one, other in moves(rows):
        if other not in table(head).get(one, frozenset()):
            yield f"{other} follows {one}"
