"""Tables of the streaming job: files of a bounded size, which no row waits for too long."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from tests.kit.reminders import SPACE, TEN
from tests.kit.streams import Elapse, Step, run
from transforms.beam.elements import Decided
from transforms.beam.write_tables import WriteTables
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import DeadLetter
from transforms.sinks.folders import folder_of
from transforms.sinks.part_files import Part, parts_of

FAR = 4_000_000_000
"""Seconds: the test's clock starts at 0, and Beam sets the timer of a batch by the machine's clock."""
DAY = 86_400_000
SEEN: dict[str, tuple[Part, ...]] = {}


def letter(name: str, at: int = TEN) -> tuple[Decided, int]:
    row = DeadLetter(id=name, user=name, at=at, reason="failed", cause=name)
    return ((SPACE, name), [outputs.encode(row)]), TEN


def listed(out: Path) -> tuple[Part, ...]:
    return parts_of("dead_letter", folder_of(out, SPACE))


def probe(element: Decided, out: str) -> Decided:
    """When the probe arrives, note which files are in the manifest."""
    (_, user), _ = element
    if user.startswith("probe"):
        SEEN[user] = listed(Path(out))
    return element


def tables(given: Any, out: Path, rows: int, wait: int | None) -> Any:
    probed = given | "Probe" >> beam.Map(probe, str(out)).with_output_types(Decided)
    _ = probed | "Tables" >> WriteTables(str(out), rows, wait)
    return probed


def test_a_file_has_at_most_so_many_rows(tmp_path: Path) -> None:
    """A worker holds the rows of one file at a time, however many there are."""
    steps: list[Step] = [TEN - 1, [letter(f"u{n:03}") for n in range(95)]]
    run(steps, Decided, partial(tables, out=tmp_path, rows=10, wait=None))

    parts = listed(tmp_path)
    assert max(part.rows for part in parts) <= 10
    assert sum(part.rows for part in parts) == 95


def test_a_row_waits_for_its_file_no_longer_than_it_may(tmp_path: Path) -> None:
    """Few rows get a file, too: when the first of them has waited long enough."""
    SEEN.clear()
    steps: list[Step] = [
        TEN - 1, [letter("kim")], [letter("probe at once")],
        Elapse(FAR), [letter("probe later")],
    ]  # fmt: skip
    run(steps, Decided, partial(tables, out=tmp_path, rows=1_000, wait=600))

    assert SEEN["probe at once"] == ()
    assert [part.rows for part in SEEN["probe later"]] == [2]


@pytest.mark.parametrize("days", [1, 1_000])
def test_no_row_is_too_late_for_its_table(tmp_path: Path, days: int) -> None:
    """A row that arrives years after its time is in a later file, in the folder of its day."""
    late = letter("late", TEN - days * DAY)
    run(
        [TEN + DAY, [letter("kim"), late]],
        Decided,
        partial(tables, out=tmp_path, rows=1, wait=None),
    )

    assert sorted(part.rows for part in listed(tmp_path)) == [1, 1]
