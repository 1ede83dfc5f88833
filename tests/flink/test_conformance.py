"""All scenario files on a real Flink cluster, in one job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import flink_run
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_run import LOOPED_TOPIC
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.stories import Stories

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


def test_stories_on_a_cluster(cluster: FlinkCluster, broker: KafkaBroker, tmp_path: Path) -> None:
    """The scenarios of all files, each in its own space of one job, give the core's outputs byte for byte:
    alarms, control records and what keys of a user send each other included (R3, R8).
    """
    told = Stories()
    flink_run.create_topics(broker)
    flink_run.produce(broker, told.records)
    flink_run.finish(broker, told.end)
    job = flink_run.submit(cluster, broker, told, tmp_path)
    flink_run.wait(cluster, broker, job)
    found = flink_run.written(broker)

    wanted = flink_run.by_the_core(told, told.records, told.users)
    differ = flink_run.differing(wanted, found)
    assert {(told.stories[space].place, topic, name) for topic, space, name in differ} == set()
    for (space, source, name), bodies in told.looped.items():
        assert found[LOOPED_TOPIC, space, f"{source} to {name}"][: len(bodies)] == bodies
    assert len(told.stories) > 800
