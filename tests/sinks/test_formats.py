"""The contract of the formats of tables: files by day or hour, and a manifest."""

from __future__ import annotations

import importlib
import pkgutil
import random
from pathlib import Path
from typing import Any

import pytest

import transforms.sinks
from transforms.flows.protocol.outputs import ProfileUpdate
from transforms.metrics import FlowMetric
from transforms.sinks import files, parquet
from transforms.sinks.folders import Format
from transforms.sinks.part_files import Written, finish, listed, prune
from transforms.wire.rows import Row, from_row, to_row

DAY, HOUR = 86_400_000, 3_600_000


def output(n: int, at: int) -> ProfileUpdate:
    return ProfileUpdate(id=f"p{n}", user=f"u{n % 3}", at=at, set={"z": n, "a": {"b": None}})


OUTPUTS = [output(n, at=n * 5 * HOUR) for n in range(12)]
ROWS = [to_row(one) for one in OUTPUTS]
KIND = "profile_update"
FORMATS: dict[str, Format] = {"parquet": parquet, "files": files}


@pytest.fixture(params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write(name: str, rows: list[Row], folder: Path, **options: Any) -> Written:
    return FORMATS[name].write(KIND, iter(rows), folder, **options)


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("part*"))}


def test_rows_are_written_by_day(name: str, tmp_path: Path) -> None:
    """Each row is written once, in the folder of its UTC day, in order, and is read back complete."""
    written = write(name, ROWS, tmp_path)
    finish(KIND, tmp_path, [written])
    found = {path.parent.name: FORMATS[name].read(path) for path in listed(KIND, tmp_path)}

    assert list(found) == ["day=1970-01-01", "day=1970-01-02", "day=1970-01-03"]
    assert [from_row(KIND, row) for rows in found.values() for row in rows] == OUTPUTS
    assert (written.rows, written.bad_rows) == (12, 0)


def test_a_day_begins_at_its_first_instant(name: str, tmp_path: Path) -> None:
    """The last millisecond of a day and the first of the next are in two folders (R2)."""
    written = write(name, [to_row(output(1, DAY - 1)), to_row(output(2, DAY))], tmp_path)

    days = [Path(part.path).parent.name for part in written.parts]
    assert days == ["day=1970-01-01", "day=1970-01-02"]


def test_rows_can_be_written_by_hour(name: str, tmp_path: Path) -> None:
    """With hours, each hour has a folder below its day."""
    written = write(name, ROWS[:2], tmp_path, by="hour")

    folders = [Path(part.path).parent.as_posix() for part in written.parts]
    assert folders == ["day=1970-01-01/hour=00", "day=1970-01-01/hour=05"]


def test_a_repeat_changes_nothing(name: str, tmp_path: Path) -> None:
    """Rows shuffled and duplicated, written again, give the same files with the same bytes (R31)."""
    first = write(name, ROWS, tmp_path)
    before = content(tmp_path)
    again = ROWS * 2
    random.Random(3).shuffle(again)

    assert write(name, again, tmp_path) == first
    assert content(tmp_path) == before


def test_a_shard_is_replaced_and_others_stay(name: str, tmp_path: Path) -> None:
    """Files are named by shard: writing a shard again replaces only its own files."""
    write(name, ROWS[:2], tmp_path, shard="0")
    write(name, ROWS[2:4], tmp_path, shard="1")
    other = content(tmp_path)
    written = write(name, ROWS[:1], tmp_path, shard="0")
    after = content(tmp_path)

    assert written.rows == 1
    assert set(after) == set(other)
    assert {path for path in after if after[path] != other[path]} == {
        f"{KIND}/{part.path}" for part in written.parts
    }


def test_rows_with_equal_keys_are_both_kept(name: str, tmp_path: Path) -> None:
    """Two rows of equal time, user and id but different contents are both kept, in a fixed order."""
    a = ROWS[0] | {"set": '{"a":1}'}
    b = ROWS[0] | {"set": '{"a":2}'}

    assert write(name, [a, b], tmp_path / "x").rows == 2
    write(name, [b, a, b], tmp_path / "y")
    assert content(tmp_path / "x") == content(tmp_path / "y")


def test_invalid_records_are_reported_and_the_rest_written(name: str, tmp_path: Path) -> None:
    """A row that does not fit its schema is reported with its id; the others are written."""
    written = write(name, [ROWS[0] | {"at": "noon"}, ROWS[1], {"id": "x"}], tmp_path)

    assert written.rows == 1
    assert written.bad_rows == 2
    assert [(bad.id, bad.detail) for bad in written.bad] == [
        ("p0", "at is not of type time"),
        ("x", "user is missing"),
    ]


def test_many_invalid_records_are_counted_not_kept(name: str, tmp_path: Path) -> None:
    """However many rows are invalid, the report stays short and the number is right."""
    written = write(name, [{"id": "x"}] * 500, tmp_path)

    assert (written.bad_rows, len(written.bad), written.parts) == (500, 100, ())


def test_no_rows_are_an_empty_table(name: str, tmp_path: Path) -> None:
    """If nothing is written the manifest has no parts."""
    finish(KIND, tmp_path, [write(name, [], tmp_path)])

    assert listed(KIND, tmp_path) == ()
    assert content(tmp_path) == {}


def test_the_manifest_joins_the_parts_of_workers(name: str, tmp_path: Path) -> None:
    """Parts of several calls are listed once each, whatever the order of the calls."""
    one, two = write(name, ROWS[:6], tmp_path), write(name, ROWS[6:], tmp_path)
    first = finish(KIND, tmp_path, [one, two, one]).read_bytes()

    assert finish(KIND, tmp_path, [two, one]).read_bytes() == first
    assert len(listed(KIND, tmp_path)) == len({p.path for p in (*one.parts, *two.parts)})


def test_files_of_an_earlier_run_can_be_removed(name: str, tmp_path: Path) -> None:
    """After another run into the same folder, only what its manifest lists remains."""
    write(name, ROWS[:4], tmp_path)
    finish(KIND, tmp_path, [write(name, ROWS[:2], tmp_path)])
    prune(KIND, tmp_path)

    assert set(tmp_path.rglob("part-*")) == set(listed(KIND, tmp_path))


def test_a_failed_write_leaves_no_files(name: str, tmp_path: Path) -> None:
    """A write that fails leaves neither a part nor a temporary file."""
    (tmp_path / KIND / "day=1970-01-01").mkdir(parents=True)
    written = write(name, ROWS[:1], tmp_path / "ok")
    (tmp_path / KIND / written.parts[0].path).mkdir()
    with pytest.raises(OSError, match="directory"):
        write(name, ROWS[:1], tmp_path)

    assert [p for p in (tmp_path / KIND).rglob("*") if p.is_file()] == []


def test_metric_rows_are_sorted_by_content(name: str, tmp_path: Path) -> None:
    """Metric rows, with and without a version, are written in one order, whatever the input order."""
    rows: list[Row] = [
        to_row(FlowMetric("day", 0, "f", version, "entries", reason, 1.0))
        for version in (2, None, 1)
        for reason in ("b", "a")
    ]
    FORMATS[name].write("flow_metric", rows, tmp_path / "x")
    FORMATS[name].write("flow_metric", rows[::-1], tmp_path / "y")
    found = FORMATS[name].read(next((tmp_path / "x").rglob("part*")))

    assert content(tmp_path / "x") == content(tmp_path / "y")
    assert [(row["version"], row["reason"]) for row in found] == [
        (None, "a"), (None, "b"), (1, "a"), (1, "b"), (2, "a"), (2, "b"),
    ]  # fmt: skip


def test_every_format_is_tested_by_this_contract() -> None:
    """Every module of the folder that can write is in the dict, so that it is tested here."""
    found = {module.name for module in pkgutil.iter_modules(transforms.sinks.__path__)}
    modules = {importlib.import_module(f"transforms.sinks.{module}") for module in found}

    assert {module for module in modules if hasattr(module, "write")} == set(FORMATS.values())
