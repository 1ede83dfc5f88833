"""The job on a real Flink cluster, between topics of a real Kafka broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import flink_cluster, flink_run
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_users import Everyone
from tests.kit.kafka_broker import KafkaBroker

HOUR = 3_600_000

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


@pytest.fixture(scope="module")
def java() -> Path:
    """Install what a cluster and a broker need."""
    flink_cluster.make_environment()
    return flink_cluster.java()


def test_all_users_on_a_cluster(java: Path, tmp_path: Path) -> None:
    """The records of users that go through Kafka and a Flink cluster give the core's outputs: each
    topic has them in the core's order for each user, byte for byte, and none twice (R1, R3, R31).
    """
    people = Everyone(sample=300, random=48)
    with KafkaBroker(java) as broker, FlinkCluster() as cluster:
        flink_run.create_topics(broker)
        flink_run.produce(broker, people.records, grain=HOUR)
        flink_run.finish(broker, people.end)
        job = flink_run.submit(cluster, broker, people, tmp_path)
        flink_run.wait(cluster, broker, job)
        cluster.cancel(job)

        wanted = flink_run.by_the_core(people, people.records, people.users)
        assert flink_run.differing(wanted, flink_run.written(broker)) == set()


def test_a_crash_and_a_savepoint_change_nothing(java: Path, tmp_path: Path) -> None:
    """A TaskManager that is killed, and a restart from a savepoint with two instances of each function
    instead of one, change no output: none is lost, none is there twice (R31).
    """
    people = Everyone(sample=100, random=16)
    third = len(people.records) // 3
    with KafkaBroker(java) as broker, FlinkCluster(managers=2) as cluster:
        flink_run.create_topics(broker)
        job = flink_run.submit(cluster, broker, people, tmp_path)
        flink_run.produce(broker, people.records[:third], grain=HOUR)
        flink_run.wait(cluster, broker, job)
        flink_run.produce(broker, people.records[third : 2 * third], grain=HOUR)
        (place,) = cluster.places(job)
        cluster.kill(place)
        flink_run.wait(cluster, broker, job, faults=True)
        saved = cluster.stop(job)
        cluster.add(2)
        flink_run.produce(broker, people.records[2 * third :], grain=HOUR)
        flink_run.finish(broker, people.end)
        job = flink_run.submit(cluster, broker, people, tmp_path, "-p", "2", "-s", saved)
        flink_run.wait(cluster, broker, job)
        assert len(cluster.places(job)) == 2
        cluster.cancel(job)

        wanted = flink_run.by_the_core(people, people.records, people.users)
        assert flink_run.differing(wanted, flink_run.written(broker)) == set()
