"""Tables in any store: the same files everywhere, and no loss with several workers."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Iterable
from itertools import permutations
from pathlib import Path

import apache_beam as beam
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.utils.sharded_key import ShardedKey

from transforms.beam.window_counts import CountWindows
from transforms.beam.write_tables import WriteManifest, WriteRows
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import ProfileUpdate, Rejection
from transforms.sinks import open_sink, parquet
from transforms.sinks.folders import Folder, folder_of
from transforms.sinks.part_files import (
    ADDED,
    Part,
    Place,
    Written,
    add_parts,
    add_version,
    finish,
    listed,
    parts_of,
    version_name,
    write_whole,
)
from transforms.sinks.remote import Remote, place_of
from transforms.wire.rows import to_row

STORE = "TOWPATH_STORE"
"""Names one more store to run these tests on, ``gs://bucket/folder`` for instance."""
KIND = "profile_update"
MINUTE, HOUR = 60_000, 3_600_000


def addresses() -> list[str]:
    return ["path", "file", "memory", *(["store"] if os.environ.get(STORE) else [])]


@pytest.fixture(params=addresses())
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return an empty folder: by its path, by a file address, in Arrow's in-memory store."""
    name = f"t{uuid.uuid4().hex}"
    match request.param:
        case "path":
            return str(tmp_path / name)
        case "file":
            return f"file://{tmp_path}/with%20space/{name}"
        case "memory":
            return f"mock:///{name}"
        case _:
            base, mark, query = os.environ[STORE].partition("?")
            return f"{base.rstrip('/')}/{name}{mark}{query}"


def output(number: int, at: int) -> ProfileUpdate:
    return ProfileUpdate(id=f"p{number}", user="kim", at=at, set={"n": number})


def rows(folder: Place) -> list[str]:
    """Read the ids of all rows that the manifest lists, like an analyst."""
    return sorted(
        row["id"]
        for path in listed(KIND, folder)
        for row in pq.ParquetFile(pa.BufferReader(path.read_bytes())).read().to_pylist()
    )


def run(address: str, given: Iterable[ProfileUpdate]) -> None:
    """Write outputs as the job does, in one batch of rows."""
    with beam.Pipeline(runner="BundleBasedDirectRunner") as pipeline:
        _ = (
            pipeline
            | "Outputs" >> beam.Create([(("shop", KIND), outputs.encode(one)) for one in given])
            | "Rows" >> beam.GroupByKey()
            | "Shard" >> beam.MapTuple(lambda table, rows: (ShardedKey(table, b""), rows))
            | "Write" >> beam.ParDo(WriteRows(address))
            | "Files" >> beam.GroupByKey()
            | "List" >> beam.ParDo(WriteManifest(address))
        )


def test_the_job_writes_to_any_address(address: str) -> None:
    """Rows are in files by day and the manifest lists them, in any store (R31)."""
    run(address, [output(n, at=n * 8 * HOUR) for n in range(6)])
    folder = folder_of(address, "shop")

    assert rows(folder) == [f"p{n}" for n in range(6)]
    days = [part.path.partition("/")[0] for part in parts_of(KIND, folder)]
    assert days == ["day=1970-01-01", "day=1970-01-02"]
    assert [part.rows for part in parts_of(KIND, folder)] == [3, 3]


def test_numbers_are_written_to_the_same_address(address: str) -> None:
    """The numbers of minutes, hours and days are tables at the same address (R25)."""
    refused = Rejection(id="r1", user="kim", at=MINUTE, reason="too_old", cause="c")
    with beam.Pipeline(runner="BundleBasedDirectRunner") as pipeline:
        rows = pipeline | "Rows" >> beam.Create([(("shop", "kim"), outputs.encode(refused))])
        _ = rows | "Numbers" >> CountWindows(address, pace=None)
    found = [
        row["window"]
        for path in listed("flow_metric", folder_of(address, "shop"))
        for row in pq.ParquetFile(pa.BufferReader(path.read_bytes())).read().to_pylist()
    ]

    assert sorted(found) == ["day", "hour", "minute"]


def test_a_repeated_bundle_changes_nothing(address: str) -> None:
    """A bundle that is written twice leaves the same files and the same manifest (R31)."""
    given = [output(n, at=n * 4 * MINUTE) for n in range(6)]
    run(address, given)
    before = parts_of(KIND, folder_of(address, "shop"))
    run(address, given[::-1])

    assert parts_of(KIND, folder_of(address, "shop")) == before


def test_later_rows_are_another_file(address: str) -> None:
    """Later rows of a day are added as a file; the existing files stay, and no row is doubled."""
    run(address, [output(1, at=0)])
    before = set(map(str, listed(KIND, folder_of(address, "shop"))))
    run(address, [output(2, at=MINUTE)])

    assert before < set(map(str, listed(KIND, folder_of(address, "shop"))))
    assert rows(folder_of(address, "shop")) == ["p1", "p2"]


def test_uncommitted_files_are_not_read(address: str) -> None:
    """A bundle that failed after its file was written, and has other rows then, doubles no row."""
    folder = folder_of(address, "shop")
    parquet.write(KIND, [to_row(output(1, at=0))], folder, shard="0-a")
    run(address, [output(1, at=0), output(2, at=0)])

    assert rows(folder) == ["p1", "p2"]


def test_workers_that_list_at_once_lose_nothing(address: str) -> None:
    """Any number of workers add to one manifest at the same time, without a lock."""
    folder = folder_of(address, "shop")
    parts = [Part(f"day=1970-01-01/part-{n}.parquet", 1, 1, "x") for n in range(80)]
    workers = [
        threading.Thread(target=lambda n=n: [add_parts(KIND, folder, [p]) for p in parts[n::8]])
        for n in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert parts_of(KIND, folder) == tuple(sorted(parts, key=lambda part: part.path))


def test_a_rewritten_part_replaces_the_old_one(address: str) -> None:
    """A file of numbers keeps its name: the manifest lists the newest one, once."""
    folder = folder_of(address, "shop")
    name = "day=1970-01-01/part-day-0.parquet"
    finish(KIND, folder, [Written((Part(name, 1, 10, "a"),))])
    add_parts(KIND, folder, [Part(name, 2, 20, "b")])
    add_parts(KIND, folder, [Part(name, 3, 30, "c")])

    assert parts_of(KIND, folder) == (Part(name, 3, 30, "c"),)


def version(number: int) -> Part:
    """Return a version of one part."""
    return Part(f"day=1970-01-01/part-{version_name('hour-0', number)}.parquet", 1, 1, str(number))


@pytest.mark.parametrize("order", list(permutations((1, 2, 10))), ids=str)
def test_the_newest_version_counts_in_any_order(address: str, order: tuple[int, ...]) -> None:
    """An older version that is written after a newer one, however late, is not read."""
    folder = folder_of(address, "shop")
    for number in order:
        write_whole(folder / KIND / version(number).path, b"x")
        assert add_version(KIND, folder, version(number)) is (
            number >= max(order[: order.index(number) + 1])
        )

    assert parts_of(KIND, folder) == (version(10),)


def test_a_version_that_was_written_in_secret_is_not_read(address: str) -> None:
    """Two writers that do not see each other leave both versions listed; readers take the newest."""
    folder = folder_of(address, "shop")
    add_parts(KIND, folder, [version(2)])
    add_parts(KIND, folder, [version(1)])
    assert parts_of(KIND, folder) == (version(2),)

    for number in (1, 2, 3):
        write_whole(folder / KIND / version(number).path, b"x")
    add_version(KIND, folder, version(3))

    place = folder / KIND / "day=1970-01-01"
    found = place.files() if isinstance(place, Remote) else place.iterdir()
    assert parts_of(KIND, folder) == (version(3),)
    assert sorted(path.name for path in found) == [Path(version(n).path).name for n in (2, 3)]


def test_a_complete_manifest_replaces_additions(address: str) -> None:
    """A run that rewrites its table is not mixed with files added before."""
    folder = folder_of(address, "shop")
    add_parts(KIND, folder, [Part("day=1970-01-01/part-old.parquet", 1, 1, "x")])
    new = Part("day=1970-01-02/part-new.parquet", 1, 1, "x")
    finish(KIND, folder, [Written((new,))])

    assert parts_of(KIND, folder) == (new,)


def test_a_manifest_entry_is_a_json_object(address: str) -> None:
    """An entry of the manifest is one JSON object with the kind and its parts."""
    folder = folder_of(address, "shop")
    add_parts(KIND, folder, [Part("day=1970-01-02/part-0-a.parquet", 1, 2, "h")])
    place = folder / KIND / ADDED
    (entry,) = place.files() if isinstance(place, Remote) else place.iterdir()

    assert entry.name.startswith("1970-01-02-")
    assert json.loads(entry.read_bytes()) == {
        "kind": KIND,
        "parts": [
            {"path": "day=1970-01-02/part-0-a.parquet", "rows": 1, "bytes": 2, "hash": "h"}
        ],
    }  # fmt: skip


def test_a_missing_table_is_empty(address: str) -> None:
    """A table without files has no rows; it is not an error."""
    assert parts_of(KIND, folder_of(address, "nowhere")) == ()


def test_a_space_is_one_folder_at_any_address(address: str) -> None:
    """A space whose name has a slash is not written to another folder."""
    add_parts(
        KIND, folder_of(address, "../a/b"), [Part("day=1970-01-02/part-0.parquet", 1, 1, "h")]
    )

    assert "..%2Fa%2Fb" in str(folder_of(address, "../a/b"))
    assert len(parts_of(KIND, folder_of(address, "../a/b"))) == 1


def test_an_unknown_scheme_is_refused() -> None:
    """A scheme that Arrow does not know is refused with the address, without a traceback."""
    with pytest.raises(ValueError, match="cannot write to"):
        parts_of(KIND, folder_of("ftp://somewhere/tables", "shop"))


def test_a_sink_with_a_lock_needs_a_local_folder() -> None:
    """The sink that replaces files needs a lock, which a store does not have: it is refused at
    once.
    """
    with pytest.raises(ValueError, match="local folders only"):
        Folder(parquet, "gs://bucket/tables")
    with pytest.raises(ValueError, match="local folders only"):
        open_sink("parquet:gs://bucket/tables")


def test_only_the_address_is_sent_to_workers() -> None:
    """A pickled sink is its address: nothing is opened before a worker writes."""
    place = place_of("gs://bucket/tables?endpoint_override=x") / "shop"

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(place), type=Remote) == place
    assert str(place) == "gs://bucket/tables/shop"
