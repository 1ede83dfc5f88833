"""The job stopped with a savepoint, and started again with other code, flows and parallelism."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.kit import flink_run
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_users import Everyone, Waiting, sample_users
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.random_users import RandomUsers
from tests.kit.released_layout import is_chosen
from transforms.flows.protocol.control_records import Publish, decode_line
from transforms.hosting.catalogs import FixedLogs

HOUR, DAY = 3_600_000, 86_400_000

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


class Until:
    """Users whose control logs are known until an instant."""

    def __init__(self, people: Everyone, at: int) -> None:
        self.end = people.end
        self.logs = FixedLogs(
            {
                space: tuple(line for line in lines if decode_line(line).effective_at <= at)
                for space, lines in people.logs._logs.items()
            }
        )

    def published(self) -> int:
        """Return the number of versions in all logs."""
        return sum(
            isinstance(decode_line(line), Publish)
            for lines in self.logs._logs.values()
            for line in lines
        )


def _without_number(body: bytes) -> bytes:
    row = msgspec.json.decode(body)
    del row["sequence"]
    return msgspec.json.encode(row)


def unnumbered(found: flink_run.Written) -> flink_run.Written:
    """Leave out the numbers of transitions that the released layout does not continue."""
    return {
        (topic, space, user): [_without_number(body) for body in bodies]
        if topic == "transition" and is_chosen(space, user)
        else bodies
        for (topic, space, user), bodies in found.items()
    }


def test_states_of_a_savepoint_go_on(
    cluster: FlinkCluster, broker: KafkaBroker, tmp_path: Path
) -> None:
    """A savepoint restores the states of the first release's layout and those of today, with two instances
    of each function instead of one and the other way round, while users wait for minutes and for days,
    and with flows that were published in between: the outputs are those of the core.
    """
    shoppers, others = sample_users(100), RandomUsers(96)
    stops = [others.end - 6 * DAY, others.end - 4 * DAY, others.end]
    people = Everyone(shoppers, others, Waiting(stops[:2]), end=others.end)
    stages = [Until(people, at) for at in stops]
    assert len({stage.published() for stage in stages}) == len(stages)
    flink_run.create_topics(broker)
    begin, words = 0, ["-p", "1"]
    for number, (stage, at) in enumerate(zip(stages, stops, strict=True)):
        logs = tmp_path / str(number)
        logs.mkdir()
        last = stage is stages[-1]
        job = flink_run.submit(cluster, broker, stage, logs, *words, released=not last)
        records = [record for record in people.records if begin < record.receipt <= at]
        flink_run.produce(broker, records, grain=HOUR)
        flink_run.finish(broker, at, drain=last)
        flink_run.wait(cluster, broker, job)
        assert len(cluster.places(job)) == int(words[1])
        if not last:
            begin, words = at, ["-p", str(2 - number), "-s", cluster.stop(job)]

    wanted = flink_run.by_the_core(people, people.records, people.users)
    found = flink_run.written(broker)
    assert flink_run.differing(wanted, found)  # or there was no state in the released layout
    assert flink_run.differing(unnumbered(wanted), unnumbered(found)) == set()
