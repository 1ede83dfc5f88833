"""The job on a real Flink cluster without a broker: files of records in, Parquet tables out."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from pipelines.collect import collect
from tests.kit import flink_run
from tests.kit.core_tables import read_tables, replayed
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.random_users import Published
from tests.kit.stream_purchases import SPACE
from tests.kit.stream_sample import Sample, chosen_users
from tests.kit.timeouts import PATIENCE
from transforms.sinks.part_files import listed, write_whole
from transforms.wire.messages import to_envelope

DAY = 86_400_000

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


def write_records(path: Path, records: list[Published], end: int | None = None) -> None:
    """Write a file of records; with an end, also what says that it is reached, then a bad line."""
    lines = [to_envelope(record.signal) for record in records]
    if end is not None:
        lines += [
            msgspec.json.encode({"type": "heartbeat", "receivedAt": at}) for at in (end, end + DAY)
        ]
        lines.append(b"the end")
    write_whole(path, b"".join(line + b"\n" for line in lines))


def wait(cluster: FlinkCluster, job: str, out: Path, kind: str, faults: bool = False) -> None:
    """Collect until a table has rows."""
    until = time.monotonic() + PATIENCE
    while not listed(kind, out / SPACE):
        assert time.monotonic() < until
        cluster.check(job, faults)
        collect(out)
        time.sleep(0.5)


def test_tables_are_those_of_a_replay(shared: FlinkCluster, tmp_path: Path) -> None:
    """Files that are added to a folder while the job runs become tables with the rows of a replay,
    each once, although a TaskManager was killed meanwhile (R3, R31).
    """
    people = Sample([event for group in chosen_users(600) for event in group])
    into, out = tmp_path / "in", tmp_path / "out"
    third = len(people.records) // 3
    write_records(into / "1.jsonl", people.records[:third])
    job = shared.submit(
        "-py", flink_run.JOB.absolute(), str(people.end), "--tables", str(out), "--file_wait", "1",
        "--events", f"files:{into}={flink_run.ALLOWED}", *flink_run.control_words(people, tmp_path),
    )  # fmt: skip
    wait(shared, job, out, "transition")
    write_records(into / "2.jsonl", people.records[third : 2 * third])
    (place,) = shared.places(job)
    shared.kill(place)
    shared.start(place)
    write_records(into / "3.jsonl", people.records[2 * third :], people.end)
    # Nothing is written after the dead letter of the last line.
    wait(shared, job, out, "dead_letter", faults=True)
    shared.cancel(job)

    wanted = replayed(people)
    found = read_tables(out / SPACE)
    assert found.keys() == wanted.keys()
    assert {kind for kind in wanted if found[kind] != wanted[kind]} == set()
