"""The controller reads the rows of tables once, also those that a compaction moves to other files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from time import time

import pytest

from pipelines.compact.table import Rules, compact_table
from tests.control.outputs_of import MINUTE, START, WAITS, catalog, event, outputs_of
from tests.control.rig import write_tables
from towpath.control.index import Index
from towpath.control.index_inputs import PAUSE, Tables, Took
from transforms.flows.protocol.outputs import Transition

RULES = Rules(size=1_000_000, age=0, keep=3_600_000)


class Reader:
    """A controller's index and its input, with a clock that passes the pause between two looks."""

    def __init__(self, folder: Path) -> None:
        self.index = Index(folder / "index.db")
        self.tables = Tables(str(folder / "tables"))
        self.now = START

    def take(self) -> Took:
        self.now += PAUSE
        return self.tables.take(self.index, self.now)


@pytest.fixture
def reader(tmp_path: Path) -> Iterable[Reader]:
    made = Reader(tmp_path)
    yield made
    made.index.close()


def write(folder: Path, *numbers: int) -> None:
    """Write one file with a transition of each number's user."""
    begun = [event(f"u{n}", "Begun", START + n * MINUTE) for n in numbers]
    outputs = outputs_of(catalog({"waits": WAITS}), begun)
    entered = [one for one in outputs if isinstance(one, Transition) and one.what == "entered"]
    write_tables(folder / "tables", entered, shard=f"s{numbers[0]}")


def compact(folder: Path) -> None:
    done = compact_table("transition", folder / "tables", RULES, int(time() * 1000) + 1000)
    assert done.merged >= 2


def test_rows_that_were_read_are_not_read_again(reader: Reader, tmp_path: Path) -> None:
    """Rows that were read count once, also after a compaction has moved them to another file."""
    write(tmp_path, 1)
    write(tmp_path, 2, 3)
    assert reader.take() == Took(3)
    compact(tmp_path)
    assert reader.take() == Took(0)
    write(tmp_path, 4)
    assert reader.take() == Took(1)
    compact(tmp_path)
    assert reader.take() == Took(0)


def test_rows_that_were_merged_before_they_were_read_are_read(
    reader: Reader, tmp_path: Path
) -> None:
    """A compaction before the controller reads hides no rows from it."""
    write(tmp_path, 1)
    assert reader.take() == Took(1)
    write(tmp_path, 2)
    compact(tmp_path)
    assert reader.take() == Took(2)
    write(tmp_path, 3)
    assert reader.take() == Took(1)
    compact(tmp_path)
    assert reader.take() == Took(0)


def test_a_controller_that_starts_after_a_compaction_reads_everything_once(
    reader: Reader, tmp_path: Path
) -> None:
    """A controller that starts on compacted tables reads each row once, also after the next compaction."""
    write(tmp_path, 1)
    write(tmp_path, 2)
    compact(tmp_path)
    assert reader.take() == Took(2)
    write(tmp_path, 3)
    assert reader.take() == Took(1)
    compact(tmp_path)
    assert reader.take() == Took(0)
