"""The job on a real Flink cluster, between topics of a real Kafka broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import flink_cluster, flink_run
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.random_users import Published, RandomUsers
from tests.kit.stream_sample import Sample, chosen_users
from transforms.hosting.catalogs import FixedLogs

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


class Everyone:
    """Users of the sample, and users with random flows and histories, on one topic."""

    def __init__(self, sample: int, random: int) -> None:
        shop = Sample([event for group in chosen_users(sample) for event in group])
        others = RandomUsers(random)
        self.users = [*shop.users, *others.histories]
        self.records = [*shop.records, *others.records]
        self.end = others.end
        self.logs = FixedLogs(shop.logs._logs | others.logs._logs)

    def pieces(self) -> Iterator[list[Published]]:
        yield self.records


def test_all_users_on_a_cluster(tmp_path: Path) -> None:
    """The records of users that go through Kafka and a Flink cluster give the core's outputs: each
    topic has them in the core's order for each user, byte for byte, and none twice (R1, R3, R31).
    """
    flink_cluster.make_environment()
    people = Everyone(sample=300, random=48)
    with KafkaBroker(flink_cluster.java()) as broker, FlinkCluster() as cluster:
        flink_run.create_topics(broker)
        flink_run.produce(broker, people, grain=3_600_000)
        job = flink_run.submit(cluster, broker, people, tmp_path)
        flink_run.wait(cluster, broker, job)
        found = flink_run.written(broker)
        cluster.cancel(job)

    wanted = flink_run.by_the_core(people, people.records, people.users)
    assert {
        place for place in wanted.keys() | found.keys() if wanted.get(place) != found.get(place)
    } == set()
