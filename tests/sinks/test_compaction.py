"""Compaction of a streaming job's tables: readers see each row once, whenever it stops."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from time import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.compact import lease, table
from pipelines.compact.lease import LEASE, Busy, Lease, alone
from pipelines.compact.places import files
from pipelines.compact.table import FORGET, Done, Rules, compact_table
from pipelines.compact.tables import Compacted, compact
from tests.replay.kit import towpath
from transforms.flows.protocol.outputs import ProfileUpdate
from transforms.metrics import FlowMetric
from transforms.sinks import parquet
from transforms.sinks.folders import folder_of
from transforms.sinks.part_files import (
    ADDED,
    Part,
    Place,
    add_parts,
    add_version,
    listed,
    parts_of,
    version_name,
    write_whole,
)
from transforms.sinks.remote import place_of
from transforms.wire.rows import to_row

KIND = "profile_update"
HOUR, DAY = 3_600_000, 86_400_000
RULES = Rules(size=1_000_000, age=0, keep=HOUR)
STORE = "TOWPATH_STORE"
"""Names one more store to run these tests on, ``gs://bucket/folder`` for instance."""


@pytest.fixture(params=["path", "memory", *(["store"] if os.environ.get(STORE) else [])])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return an empty folder: a local one, in Arrow's in-memory store, in a real store."""
    name = f"t{uuid.uuid4().hex}"
    match request.param:
        case "path":
            (tmp_path / name).mkdir()
            return str(tmp_path / name)
        case "memory":
            return f"mock:///{name}"
        case _:
            base, mark, query = os.environ[STORE].partition("?")
            return f"{base.rstrip('/')}/{name}{mark}{query}"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for another compaction that begins at the same time."""
    monkeypatch.setattr(lease, "SETTLE", 0.0)


def now() -> int:
    return int(time() * 1000) + 1000


def add(folder: Place, numbers: Iterable[int]) -> list[Part]:
    """Write rows as one file per day, and list it, as a worker does."""
    rows = [
        to_row(ProfileUpdate(id=f"p{n}", user=f"u{n % 7}", at=n * 2 * HOUR, set={"n": n}))
        for n in numbers
    ]
    parts = list(parquet.write(KIND, rows, folder).parts)
    add_parts(KIND, folder, parts)
    return parts


def paths_of(folder: Place) -> list[Place]:
    """List the files in the manifest."""
    return [folder / KIND / part.path for part in parts_of(KIND, folder)]


def ids(folder: Place) -> list[str]:
    """Read the ids of all rows that the manifest lists."""
    return sorted(row["id"] for path in paths_of(folder) for row in read(path))


def read(path: Place) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]]
    rows = pq.ParquetFile(pa.BufferReader(path.read_bytes())).read().to_pylist()
    return rows


def expected(numbers: Iterable[int]) -> list[str]:
    return sorted(f"p{n}" for n in numbers)


def test_small_files_are_merged_and_later_removed(address: str) -> None:
    """A day has one file with all its rows in their order; the small ones stay for a while."""
    folder = folder_of(address, "shop")
    small = [part for n in range(5) for part in add(folder, range(n, 40, 5))]
    done = list(compact(place_of(address), RULES))
    parts = parts_of(KIND, folder)

    assert done == [Compacted("shop", KIND, len(small), 4, 0)]
    assert ids(folder) == expected(range(40))
    assert len({part.path.partition("/")[0] for part in parts}) == len(parts) == 4
    for part, path in zip(parts, paths_of(folder), strict=True):
        rows = read(path)
        assert rows == sorted(rows, key=lambda row: (row["at"], row["user"], row["id"]))
        assert (part.rows, part.bytes) == (len(rows), len(path.read_bytes()))
    assert all((folder / KIND / part.path).exists() for part in small)

    assert compact_table(KIND, folder, RULES, now() + HOUR).removed == len(small)
    assert ids(folder) == expected(range(40))
    assert not any((folder / KIND / part.path).exists() for part in small)
    entries = list(files(folder / KIND / ADDED))
    assert {path.name.partition("-")[0] for path, _ in entries} == {"compacted"}
    assert compact_table(KIND, folder, RULES, now() + HOUR) == Done()


def test_merged_files_are_like_those_of_the_job(tmp_path: Path) -> None:
    """Types and compression are the same, and equal rows are written once."""
    small = add(tmp_path, range(3))
    add(tmp_path, range(1, 3))
    compact_table(KIND, tmp_path, RULES, now())
    (merged,) = listed(KIND, tmp_path)
    ours, theirs = (pq.ParquetFile(p) for p in (merged, tmp_path / KIND / small[0].path))

    assert ids(tmp_path) == expected(range(3))
    assert ours.schema_arrow == theirs.schema_arrow
    assert ours.metadata.row_group(0).column(0).compression == "ZSTD"


def test_files_have_the_target_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than fit into a file are several files; large ones are not merged again."""
    monkeypatch.setattr("pipelines.compact.merge.BATCH", 50)
    for n in range(10):
        rows = [
            to_row(ProfileUpdate(id=f"p{n}-{k}", user=uuid.uuid4().hex, at=k, set={}))
            for k in range(100)
        ]
        add_parts(KIND, tmp_path, parquet.write(KIND, rows, tmp_path).parts)
    rules = Rules(size=20_000, age=0, keep=0)
    first = compact_table(KIND, tmp_path, rules, now())
    sizes = [part.bytes for part in parts_of(KIND, tmp_path)]

    assert first.merged == 10
    assert 1 < first.into < 10
    assert sum(part.rows for part in parts_of(KIND, tmp_path)) == len(ids(tmp_path)) == 1000
    assert sum(size >= rules.size for size in sizes) >= first.into - 1
    assert compact_table(KIND, tmp_path, rules, now() + 1).merged == 0


def test_a_stop_at_any_point_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before any write or removal, and run again: readers see each row at any time.

    The job writes on meanwhile.
    """
    stops = 0
    for stop in range(200):
        folder = tmp_path / f"{stop}" / "shop"
        for n in range(4):
            add(folder, range(n, 12, 4))
        compact_table(KIND, folder, RULES, now())
        add(folder, range(12, 16))
        add(folder, range(8, 20))  # also rows that there are already
        known = expected(range(20))
        later = now() + 2 * HOUR

        if not _stopped(folder, stop, later, known, monkeypatch):
            break
        stops += 1
        add(folder, range(20, 24))
        known = expected(range(24))
        _checked(folder, later, known, monkeypatch)
        _checked(folder, later + 2 * HOUR, known, monkeypatch)
        assert len(ids(folder)) == len(known)
        left = {path.relative_to(folder / KIND).as_posix() for path in folder.rglob("part-*")}
        assert left == {part.path for part in parts_of(KIND, folder)}

    assert stops > 8


class _Stop(BaseException):
    """The process is killed."""


def _stopped(
    folder: Path, stop: int, at: int, known: list[str], monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Compact, and stop before one of the effects; return False if there are fewer."""
    left = [stop]

    def count() -> None:
        assert set(ids(folder)) == set(known)
        if left[0] == 0:
            raise _Stop
        left[0] -= 1

    with monkeypatch.context() as patched:
        _before_effects(patched, count)
        try:
            compact_table(KIND, folder, RULES, at)
        except _Stop:
            return True
    return False


def _checked(folder: Path, at: int, known: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Compact, and read before each effect."""
    with monkeypatch.context() as patched:
        _before_effects(patched, lambda: _assert_seen(folder, known))
        compact_table(KIND, folder, RULES, at)
    _assert_seen(folder, known)


def _assert_seen(folder: Path, known: list[str]) -> None:
    assert set(ids(folder)) == set(known)


def _before_effects(patched: pytest.MonkeyPatch, check: Callable[[], None]) -> None:
    """Call ``check`` before each write and each removal of the compaction."""
    unlink = Path.unlink

    def write(path: Place, data: bytes) -> None:
        check()
        write_whole(path, data)

    def remove(path: Path, missing_ok: bool = False) -> None:
        check()
        unlink(path, missing_ok)

    patched.setattr(table, "write_whole", write)
    patched.setattr(Path, "unlink", remove)


def test_who_has_begun_to_read_can_finish(address: str) -> None:
    """The files of a manifest that was read before a compaction are there after it."""
    folder = folder_of(address, "shop")
    for n in range(3):
        add(folder, range(n, 9, 3))
    begun = paths_of(folder)
    compact_table(KIND, folder, RULES, now())
    compact_table(KIND, folder, RULES, now())

    assert sorted(row["id"] for path in begun for row in read(path)) == expected(range(9))


def test_a_bundle_that_is_retried_late_doubles_nothing(address: str) -> None:
    """An addition that is repeated after its files were merged and removed is not seen."""
    folder = folder_of(address, "shop")
    few = add(folder, range(3))
    add(folder, range(3, 6))
    compact_table(KIND, folder, RULES, now())
    compact_table(KIND, folder, RULES, now() + 2 * HOUR)
    add_parts(KIND, folder, few)

    assert ids(folder) == expected(range(6))
    compact_table(KIND, folder, RULES, now() + FORGET + DAY)
    compact_table(KIND, folder, RULES, now() + 2 * FORGET)
    assert ids(folder) == expected(range(6))


def test_names_of_replaced_files_are_forgotten_after_a_month(tmp_path: Path) -> None:
    """The manifest does not grow for ever."""
    for n in range(2):
        add(tmp_path, range(n, 3, 2))
    compact_table(KIND, tmp_path, RULES, now())
    entry = tmp_path / KIND / ADDED / "compacted-day=1970-01-01.json"
    assert len(json.loads(entry.read_text())["replaced"]) == 2
    compact_table(KIND, tmp_path, RULES, now() + FORGET + DAY)

    assert json.loads(entry.read_text())["replaced"] == []
    assert ids(tmp_path) == expected(range(3))


def test_young_files_are_left_alone(tmp_path: Path) -> None:
    """Files that were listed lately are not merged."""
    for n in range(2):
        add(tmp_path, range(n, 4, 2))

    assert compact_table(KIND, tmp_path, Rules(1_000_000, HOUR, HOUR), now()) == Done()
    assert compact_table(KIND, tmp_path, Rules(1_000_000, HOUR, HOUR), now() + HOUR).merged == 2


def test_numbers_of_windows_are_left_alone(address: str) -> None:
    """Files that the job replaces by newer versions are not merged."""
    folder = folder_of(address, "shop")
    for version in (1, 2):
        row = FlowMetric("day", 0, "welcome", 1, "entries", "", version)
        shard = version_name("day-0", version)
        (part,) = parquet.write("flow_metric", [to_row(row)], folder, shard=shard).parts
        add_version("flow_metric", folder, part)
    before = parts_of("flow_metric", folder)

    assert list(compact(place_of(address), RULES)) == []
    assert parts_of("flow_metric", folder) == before


def test_one_compaction_at_a_time(address: str) -> None:
    """A second one is refused; after the first has ended, it may begin."""
    place = place_of(address)
    add(folder_of(address, "shop"), range(3))
    with alone(place), pytest.raises(Busy, match="another compaction"):
        list(compact(place, RULES))

    assert list(compact(place, RULES)) == [Compacted("shop", KIND, 0, 0, 0)]


def test_a_lease_of_a_dead_compaction_ends(tmp_path: Path) -> None:
    """In a store, the lease of a compaction that was killed is valid for an hour."""
    place = place_of(f"mock:///{tmp_path.name}{uuid.uuid4().hex}")
    for ago, is_busy in ((HOUR // 2, True), (2 * HOUR, False)):
        held = json.dumps({"id": "dead", "at": now() - ago}).encode()
        write_whole(place / LEASE, held)
        if is_busy:
            with pytest.raises(Busy, match="was killed less than an hour ago"), alone(place):
                pass
        else:
            with alone(place):
                assert lease._read(place) != Lease("dead", 0)  # type: ignore[arg-type]

    assert not (place / LEASE).exists()


def test_a_column_that_a_file_lacks_is_null(tmp_path: Path) -> None:
    """A file from before an optional column was added is merged."""
    (part, *_) = add(tmp_path, range(2))
    add(tmp_path, range(2, 4))
    path = tmp_path / KIND / part.path
    pq.write_table(pq.read_table(path).drop_columns(["flow"]), path)
    compact_table(KIND, tmp_path, RULES, now())
    (merged,) = paths_of(tmp_path)

    assert [row["flow"] for row in read(merged)] == [None] * 4


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole.append_column("mood", pa.array(["fine"] * len(whole))),
        lambda whole: whole.drop_columns(["tag"]),
    ],
    ids=["unknown", "missing"],
)
def test_files_of_other_releases_are_not_merged(
    change: Callable[[pa.Table], pa.Table], tmp_path: Path
) -> None:
    """A file with an unknown column, or without a required one, is left as it is, with an error."""
    folder = tmp_path / "shop"
    (part, *_) = add(folder, range(2))
    add(folder, range(2, 4))
    path = folder / KIND / part.path
    pq.write_table(change(pq.read_table(path)), path)
    done = towpath("compact", tmp_path, "--older", "0")

    assert done.code == 1
    assert "some files have other columns than this release (profile_update: " in done.err
    assert ids(folder) == expected(range(4))


def test_the_command(tmp_path: Path) -> None:
    """The command says what it merged and removed, for people and as JSON."""
    for n in range(3):
        add(tmp_path / "my%20shop", range(n, 3, 3))
    merged = towpath("compact", tmp_path, "--older", "0")
    removed = towpath("compact", tmp_path, "--older", "0", "--keep", "0", "--json")
    again = towpath("compact", tmp_path)

    assert merged.out == f"my shop/{KIND}: 3 files merged into 1\n"
    assert json.loads(removed.out) == {
        "space": "my shop", "kind": KIND, "merged": 0, "into": 0, "removed": 3,
    }  # fmt: skip
    assert (again.code, again.out) == (0, "")
    assert "nothing to merge or to remove" in again.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--older", "soon"], 2, '--older: "soon" is not a duration'),
        (["--keep", "1mo"], 2, '--keep: "1mo" is a calendar duration'),
        (["--size", "0"], 2, "--size must be at least 1"),
        ([], 2, "no tables of a streaming job"),
    ],
)
def test_wrong_usage(words: list[str], code: int, said: str, tmp_path: Path) -> None:
    """A wrong option, and a folder without tables, give an error in words."""
    done = towpath("compact", tmp_path, *words)

    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_an_unknown_store_is_an_error() -> None:
    """An address that Arrow cannot open is an error of the user."""
    done = towpath("compact", "ftp://host/tables")

    assert done.code == 1
    assert "ftp://host/tables" in done.err
