"""One Flink cluster for all tests that leave its processes alone, since each start takes long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import flink_cluster
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.kafka_broker import KafkaBroker


@pytest.fixture(scope="session")
def java() -> Path:
    """Install what a cluster and a broker need."""
    flink_cluster.make_environment()
    return flink_cluster.java()


@pytest.fixture(scope="session")
def shared(java: Path) -> Iterator[FlinkCluster]:
    with FlinkCluster(managers=2) as cluster:
        yield cluster


@pytest.fixture
def broker(java: Path) -> Iterator[KafkaBroker]:
    """Return a broker of the test's own."""
    with KafkaBroker(java) as made:
        yield made


@pytest.fixture
def cluster(shared: FlinkCluster, broker: KafkaBroker) -> Iterator[FlinkCluster]:
    """Return the shared cluster, with two TaskManagers; the jobs of the test end with it."""
    yield shared
    for job in shared.local.rest.jobs():
        if not job.ended:
            shared.cancel(job.id)
