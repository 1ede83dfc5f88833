"""The job on a real Flink cluster, between topics of a real Kafka broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import flink_run
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_users import Everyone
from tests.kit.kafka_broker import KafkaBroker

HOUR = 3_600_000

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


def test_all_users_on_a_cluster(cluster: FlinkCluster, broker: KafkaBroker, tmp_path: Path) -> None:
    """The records of users that go through Kafka and a Flink cluster give the core's outputs: each
    topic has them in the core's order for each user, byte for byte, and none twice (R1, R3, R31).
    """
    people = Everyone(sample=300, random=48)
    flink_run.create_topics(broker)
    flink_run.produce(broker, people.records, grain=HOUR)
    flink_run.finish(broker, people.end)
    job = flink_run.submit(cluster, broker, people, tmp_path)
    flink_run.wait(cluster, broker, job)

    wanted = flink_run.by_the_core(people, people.records, people.users)
    assert flink_run.differing(wanted, flink_run.written(broker)) == set()
