"""The same events give the same bytes, however they are divided, ordered and distributed (R3, R4)."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from pipelines.replay.batches import BUCKETS, Batch, Tally, encode
from pipelines.replay.bucket import run_bucket
from pipelines.replay.hashes import part_of
from pipelines.replay.job import Job, Slice, catalog
from pipelines.replay.read import read_slice, slices
from tests.replay import kit
from tests.replay.kit import DAY, START, track
from towpath.replay.request import _own_records
from towpath.replay.shards import replay_in_shards
from transforms.flows.clock.zones import parse_instant, utc
from transforms.flows.engine.step import Done, fold
from transforms.flows.protocol.outputs import AnyOutput
from transforms.flows.protocol.signals import Event, Time
from transforms.wire.mapping import load_mapping
from transforms.wire.rows import name_of, to_row


@pytest.mark.parametrize("more", [[], ["--shards", 40], ["--processes", 2]])
def test_this_machine_writes_what_beam_writes(
    full_replay: tuple[kit.Done, Path], inputs: dict[str, Path], tmp_path: Path, more: list[object]
) -> None:
    """With few or many shards on disk the files are those of the Beam pipeline, byte for byte."""
    events = [path for name, path in inputs.items() if name != "map"]
    done = kit.replay(tmp_path / "out", *events, more=["--map", inputs["map"], *more])

    assert done.code == 1
    assert kit.contents(tmp_path / "out") == kit.contents(full_replay[1])
    assert done.out == full_replay[0].out


def test_processes_change_nothing(tmp_path: Path) -> None:
    """Two processes write the same files as one, byte for byte, and show their progress."""
    events = kit.write_csv(tmp_path / "rows.csv", ROWS)
    for count in (1, 2):
        heard: dict[str, int] = {}
        replay_in_shards(_job(tmp_path / f"out{count}", events), 20, count, heard.__setitem__)
        assert heard == {"read": len(ROWS), "users": 17}

    assert kit.contents(tmp_path / "out1") == kit.contents(tmp_path / "out2")


ROWS = [
    (f"u{n % 17}", START + n % 5 * DAY, "Signup" if n < 17 else "Purchase", "3") for n in range(260)
]


def _job(out: Path, *events: Path, audit: bool = False) -> Job:
    until = parse_instant(kit.UNTIL, utc())
    assert until is not None
    return Job(
        records=tuple(_own_records([kit.WELCOME], None)),
        events=tuple(map(str, events)),
        until=until,
        out=str(out),
        mapping=load_mapping(kit.MAP, "map").value,
        audit=audit,
    )


def _run(job: Job) -> dict[str, bytes]:
    """Replay without Beam, in this process, every file in two slices."""
    known = catalog(job)
    blobs: dict[int, list[bytes]] = {}
    for number in range(len(job.events)):
        for nth in (1, 0):
            for bucket, blob in read_slice(job, known, Slice(number, nth, 2)):
                blobs.setdefault(bucket, []).append(blob)
    for bucket, found in blobs.items():
        run_bucket(job, known, bucket, [found])
    return kit.contents(Path(job.out))


def test_shuffled_and_split_rows_change_nothing(tmp_path: Path) -> None:
    """Rows without ids, equal ones among them, may be shuffled and spread over files."""
    one = kit.write_csv(tmp_path / "one.csv", ROWS)
    shuffled = Random(3).sample(ROWS, len(ROWS))
    parts = [kit.write_csv(tmp_path / f"part{n}.csv", shuffled[n::3]) for n in range(3)]
    expected = _run(_job(tmp_path / "a", one))

    assert len(set(ROWS)) < len(ROWS)
    assert expected
    assert _run(_job(tmp_path / "b", *parts)) == expected


def test_repeated_records_change_nothing(tmp_path: Path) -> None:
    """If records have ids, a file that is given twice counts once (R5)."""
    records = [record for n in range(9) for record in kit.life(f"u{n}", 10 * n, n % 3, n % 4)]
    once = kit.write_lines(tmp_path / "once.jsonl", records)
    again = kit.write_lines(tmp_path / "again.jsonl", records[::-1])

    assert _run(_job(tmp_path / "b", once, again)) == _run(_job(tmp_path / "a", once))


def _events(*arrived: tuple[str, int, int]) -> list[Event]:
    return [
        Event(id=f"e{n}", user="u1", name=name, time=START + own * DAY, received=START + got * DAY)
        for n, (name, own, got) in enumerate(arrived)
    ]


def _replayed(tmp_path: Path, found: list[Event], audit: bool) -> list[kit.Record]:
    job = _job(tmp_path / f"out{audit}", audit=audit)
    batch = Batch(list(found), [n << 1 for n in range(len(found))], [], Tally(read=len(found)))
    known = catalog(job)
    result = run_bucket(job, known, part_of("u1", BUCKETS), [[encode(batch)]])
    rows = []
    for kind, part in sorted(result.parts.items()):
        rows += pq.ParquetFile(Path(job.out) / kind / part.path).read().to_pylist()
    return rows


def _folded(tmp_path: Path, found: list[Event]) -> list[kit.Record]:
    job = _job(tmp_path)
    done = fold(catalog(job), None, (*found, Time(user="u1", at=job.until)))
    assert isinstance(done, Done)
    ordered: list[AnyOutput] = sorted(done.outputs, key=name_of)
    return [to_row(output) for output in ordered]


def _comparable(rows: list[kit.Record]) -> list[str]:
    return [
        repr(
            {k: int(v.timestamp() * 1000) if hasattr(v, "timestamp") else v for k, v in row.items()}
        )
        for row in rows
    ]


OUT_OF_ORDER = (("Purchase", 3, 3), ("Signup", 0, 5), ("Purchase", 6, 6), ("Purchase", 4, 7))
IN_ORDER = (("Signup", 0, 1), ("Purchase", 3, 3), ("Purchase", 4, 6))


def test_an_audit_equals_the_core_over_the_log(tmp_path: Path) -> None:
    """An audit keeps the order of the log and the ingestion times: its rows are the core's (R3)."""
    found = _events(*OUT_OF_ORDER)

    assert _comparable(_replayed(tmp_path, found, audit=True)) == _comparable(
        _folded(tmp_path, found)
    )


def test_a_back_test_of_ordered_input_equals_an_audit(tmp_path: Path) -> None:
    """If records arrived in order, a back-test and an audit give the same rows (R3)."""
    found = _events(*IN_ORDER)
    audit = _replayed(tmp_path, found, audit=True)

    assert _comparable(_replayed(tmp_path, found, audit=False)) == _comparable(audit)
    assert audit


def test_a_back_test_sorts_late_records(tmp_path: Path) -> None:
    """A record that arrived late is handled in order of event time, and delays nothing."""
    rows = _replayed(tmp_path, _events(*OUT_OF_ORDER), audit=False)
    found = {row["what"]: row["at"].timestamp() * 1000 for row in rows if "what" in row}

    assert found["entered"] == START + 3 * DAY
    assert found["ended"] == START + 3 * DAY


def test_large_files_are_read_in_slices(tmp_path: Path) -> None:
    """A large file is divided among readers, by lines or, with quotes, by records; no small one is."""
    small = kit.write_csv(tmp_path / "small.csv", ROWS)
    row = f"u1,{START},Purchase,7\n".encode()
    large, quoted = tmp_path / "large.csv", tmp_path / "quoted.csv"
    large.write_bytes(b"who,at,what,amount\n" + row * 500_000)
    quoted.write_bytes(b'who,at,"what",amount\n' + row * 500_000)
    job = _job(tmp_path / "out", small, large, quoted)
    found = slices(job, 3)
    lines = [part.within for part in found[1:4]]

    assert [(s.file, s.nth, s.of) for s in found] == [
        (0, 0, 1), (1, 0, 1), (1, 0, 1), (1, 0, 1), (2, 0, 3), (2, 1, 3), (2, 2, 3),
    ]  # fmt: skip
    assert [part.before for part in lines] == [0, *(part.last for part in lines[:-1])]
    assert max(part.start for part in lines) < large.stat().st_size * 3 // 4
    assert len(slices(job, 1)) == 3


def test_a_replay_replaces_the_earlier_one(tmp_path: Path) -> None:
    """A second replay into the same folder replaces the first with all its files."""
    many = kit.write_lines(
        tmp_path / "many.jsonl", [r for n in range(40) for r in kit.life(f"u{n}", 2 * n)]
    )
    few = kit.write_lines(tmp_path / "few.jsonl", [track(1, "u1", "Signup", START)])
    for events, folder in ((many, "out"), (few, "out"), (few, "fresh")):
        assert kit.replay(tmp_path / folder, events, more=["--shards", 1]).code == 0

    assert kit.contents(tmp_path / "out").keys() == kit.contents(tmp_path / "fresh").keys()
    assert kit.contents(tmp_path / "out") == kit.contents(tmp_path / "fresh")
