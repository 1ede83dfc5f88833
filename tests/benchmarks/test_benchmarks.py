"""The benchmarks run and compare what they say; no test here measures a time."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import msgspec
import pytest

from benchmarks import capacity, tables
from benchmarks.ratios import Figure, Measured, in_turns, ratio, show
from benchmarks.sample import check
from tests.packaging.repository import ROOT
from transforms.flows.protocol import outputs
from transforms.sinks import parquet
from transforms.wire.rows import to_row

SECTIONS = ["sample", "core", "growth", "replay", "stream"]


def test_a_ratio_is_the_median_of_pairs_in_turns() -> None:
    """Contestants run in turns, and a disturbed round does not change the ratio."""
    turns: list[str] = []
    costs = {"core": iter([4.0, 90.0, 8.0]), "floor": iter([2.0, 3.0, 4.0])}

    def contestant(name: str) -> float:
        turns.append(name)
        return next(costs[name])

    spent = in_turns({name: lambda name=name: contestant(name) for name in costs}, 3)

    assert turns == ["core", "floor"] * 3
    assert ratio(spent, "core", "floor") == 2.0


@pytest.mark.parametrize(
    ("figure", "code"),
    [
        (Figure(name="a", floor="b", value=2.5, most=2.5), 0),
        (Figure(name="a", floor="b", value=2.6, most=2.5), 1),
        (Figure(name="a", floor="b", value=1.8, least=1.8), 0),
        (Figure(name="a", floor="b", value=1.7, least=1.8), 1),
        (Figure(name="a", value=1e9, unit="MB"), 0),
    ],
)
def test_the_exit_code_is_1_only_for_a_figure_out_of_its_bounds(
    figure: Figure, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A figure out of its bounds makes the exit code 1, and is named at the end."""
    fine = Figure(name="fine", floor="b", value=1.0, most=9.0)

    assert show([figure, fine]) == code
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (str(figure) if code else str(fine))
    assert last.endswith("NOT KEPT") == bool(code)


def test_the_dictionary_machine_decides_the_same_as_the_core() -> None:
    """For 1,000 users, entries, messages, ends, goals and refusals are those of the core."""
    check(1_000)


@pytest.mark.slow
def test_every_benchmark_runs_once(tmp_path: Path) -> None:
    """A quick run prints a ratio for every section, and writes the figures for the pages."""
    written = tmp_path / "figures.json"
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--write", str(written)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "."},
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    found = msgspec.json.decode(written.read_bytes(), type=Measured)
    assert list(found.sections) == SECTIONS
    for figures in found.sections.values():
        # The difference of two short runs can be smaller than their noise, so below 0.
        assert all(one.value > 0 or one.name.endswith("without the start") for one in figures)
    assert all(len(points) > 1 for points in found.growth.values())
    for figures in found.sections.values():
        assert any(figure.floor and str(figure) in run.stdout for figure in figures)


def test_the_table_of_a_worker_and_the_floor_have_the_same_rows(tmp_path: Path) -> None:
    """What is compared with pyarrow has the same rows, in another order."""
    rows = [tables.row(number) for number in range(500)]
    tables.plain([to_row(one) for one in rows], str(tmp_path))
    tables.table([outputs.encode(one) for one in rows], str(tmp_path))
    floor, *written = (
        parquet.read(path)
        for path in sorted(tmp_path.rglob("*.parquet"), key=lambda p: p.name != "plain.parquet")
    )

    assert sorted(chain(*written), key=str) == sorted(floor, key=str)


@pytest.mark.parametrize("contestant", tables.NAMES)
def test_a_run_of_a_table_has_a_time_and_a_memory(contestant: str) -> None:
    """Memory is that beyond the imports, and only writing counts as time."""
    found = tables.one(contestant, 300, 100)

    assert found.seconds > 0
    assert found.mb >= 0


def test_the_sizes_of_a_user_and_a_row() -> None:
    """Sizes for the arithmetic of a cluster; a state grows with what it remembers."""
    found = {figure.name: figure.value for figure in capacity.sizes()}
    states = [size for name, size in found.items() if name.startswith("state of a user")]

    assert states == sorted(states)
    assert found["outputs of an event that moves 3 sessions"] == 19
    assert all(value > 0 for value in found.values())
