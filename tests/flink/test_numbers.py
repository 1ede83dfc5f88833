"""Metrics that the job counts by SQL on a real Flink cluster, between topics of a real broker."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from pipelines.replay.recount import COUNTED, recount
from schemas import METRICS
from tests.kit import flink_run
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.random_users import Published, fold_all
from tests.kit.stream_sample import Sample, chosen_users
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import AnyOutput
from transforms.sinks import parquet
from transforms.sinks.part_files import finish
from transforms.wire.rows import Row, canonical, name_of, to_row

DAY = 86_400_000
WEEK = 7 * DAY
Numbers = dict[tuple[str, str], list[Row]]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


def arrivals(records: list[Published]) -> tuple[list[Published], list[Published], Published]:
    """Return records that arrive in two parts, then one of the first days, for which it is too late.

    Some records of the last three days before the second part arrive in that. They are of users with
    one record, so that the order of each user stays.
    """
    counts = Counter(record.key[1] for record in records)
    cut = records[len(records) // 4].receipt // DAY * DAY
    once = [record for record in records if counts[record.key[1]] == 1 and record.receipt < cut]
    too_late, late = once[0], [one for one in once if one.receipt >= cut - 3 * DAY]
    first = [one for one in records if one.receipt < cut and one not in (*late, too_late)]
    return first, [*late, *(one for one in records if one.receipt >= cut)], too_late


def replayed(people: Sample, counts: Callable[[AnyOutput], bool], out: Path) -> Numbers:
    """Return the metrics that a replay counts in the core's outputs, by space and kind."""
    tables: dict[tuple[str, str], list[Row]] = defaultdict(list)
    arrived = [(record.key, record.signal) for record in people.records]
    for (space, _), encoded in fold_all(people, people.users, arrived).items():
        for output in map(outputs.decode, encoded):
            if name_of(output) in COUNTED and counts(output):
                tables[space, name_of(output)].append(to_row(output))
    for (space, kind), rows in tables.items():
        finish(kind, out / space, [parquet.write(kind, rows, out / space)])
    found = {}
    for space in {space for space, _ in tables}:
        for kind, part in recount(out / space).items():
            rows = [plain(row) for row in parquet.rows_of(out / space / kind / part.path)]
            found[space, kind] = sorted(rows, key=canonical)
    return found


def plain(row: Row) -> Row:
    return {
        name: round(value.timestamp() * 1000) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def test_numbers_are_those_of_a_replay(
    cluster: FlinkCluster, broker: KafkaBroker, tmp_path: Path
) -> None:
    """The newest numbers on the topics equal those of a replay of the same records, although some came
    three days late and a TaskManager was killed. No version of a number is there twice. Rows that are
    later than the allowed lateness are not counted (R25, R31).
    """
    people = Sample([event for group in chosen_users(300) for event in group])
    first, second, too_late = arrivals(people.records)
    watermark = max(record.receipt for record in first) // DAY * DAY
    flink_run.create_topics(broker)
    job = flink_run.submit(cluster, broker, people, tmp_path, options=["--metrics"])
    # What comes too late is handled by the next watermark.
    for records in (first, [too_late, *second[:60]]):
        flink_run.produce(broker, records)
        flink_run.wait(cluster, broker, job)
    flink_run.produce(broker, second[60:])
    (place,) = cluster.places(job)
    cluster.kill(place)
    cluster.start(place)
    flink_run.finish(broker, people.end)
    flink_run.wait(cluster, broker, job, faults=True)
    found = flink_run.newest_numbers(broker)
    versions = [
        (kind, key, headers["counted"])
        for kind in METRICS
        for headers, key, _ in flink_run.committed(broker, kind)
    ]

    user, counted_from = too_late.key[1], watermark - WEEK
    assert too_late.receipt < counted_from
    wanted = replayed(people, lambda o: o.user != user or o.at >= counted_from, tmp_path)
    assert found.keys() == wanted.keys()
    assert {place for place in wanted if found[place] != wanted[place]} == set()
    assert len(versions) == len(set(versions)) > sum(map(len, found.values()))
