"""The page about features: each row of ``docs/features.yaml`` with its proof and its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import yaml

from docs.generating import markdown

SOURCE = Path(__file__).parents[1] / "features.yaml"

GROUPS = {
    "L": "Journeys by audience",
    "B": "Flows by event",
    "J": "Workflows of a visit",
    "C": "Campaigns",
    "I": "Moments",
    "P": "Features of comparable products",
}
"""The parts of the table, by the letter of their rows."""

KINDS = ("core scenario", "host test", "browser test")
PROVED, PENDING, NOT_PLANNED = "proved", "pending", "not planned"

INTRO = """
The planned features and their state. A feature is *proved* if the linked tests would fail without
it, *pending* if part of it is missing, and *not planned* for the given reason. There are three
kinds of proof: a *core scenario* is a scenario file of a flow, a *host test* covers a command, a
check or a host, and a *browser test* covers the web console.

The table is generated from [features.yaml](features.yaml). A test fails if a row is missing or
duplicated, or names a test that does not exist.
"""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feature; exactly one of ``proof``, ``pending`` and ``not_planned`` is given.

    A proof is the place of a test: ``FILE::TITLE`` of a scenario, or a test's id for pytest.
    """

    id: str
    feature: str
    what: str
    kind: str
    proof: tuple[str, ...] = ()
    pending: str = ""
    not_planned: str = ""

    @property
    def state(self) -> str:
        if self.proof:
            return PROVED
        return PENDING if self.pending else NOT_PLANNED


def rows() -> tuple[Row, ...]:
    """Read the rows, in their order."""
    return msgspec.convert(yaml.safe_load(SOURCE.read_text(encoding="utf-8")), tuple[Row, ...])


def page() -> str:
    """Return the page."""
    found = rows()
    parts = [INTRO, _counts(found)]
    for letter, title in GROUPS.items():
        inside = [row for row in found if row.id[0] == letter]
        parts += [f"## {title}", _table(inside)]
    return markdown.page("Features", *parts)


def _counts(found: Sequence[Row]) -> str:
    """Count rows by state, the pending ones by kind too."""
    states = Counter(row.state for row in found)
    kinds = Counter(row.kind for row in found if row.state == PENDING)
    split = ", ".join(f"{kinds[kind]} by {kind}" for kind in KINDS)
    return (
        f"{len(found)} features: {states[PROVED]} proved, **{states[PENDING]} pending** "
        f"(to be proved: {split}), {states[NOT_PLANNED]} not planned."
    )


def _table(found: Sequence[Row]) -> str:
    head = ("row", "feature", "kind of proof", "state", "test, or what is missing")
    cells = (
        (row.id, f"**{row.feature}**: {row.what}", row.kind, row.state, _told(row)) for row in found
    )
    return markdown.table(head, cells)


def _told(row: Row) -> str:
    return "<br>".join(map(_linked, row.proof)) or row.pending or row.not_planned


def _linked(proof: str) -> str:
    path, _, name = proof.partition("::")
    shown = name if path.endswith(".txt") else f"`{name}`"
    return f"[{Path(path).name.removesuffix('.scenarios.txt')}](../{path}): {shown}"
