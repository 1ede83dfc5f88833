"""A broker for the tests of a module, which may kill it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit import flink_cluster
from tests.kit.kafka_broker import KafkaBroker


@pytest.fixture(scope="module")
def shared_broker() -> Iterator[KafkaBroker]:
    flink_cluster.make_environment()
    with KafkaBroker(flink_cluster.java()) as running:
        yield running


@pytest.fixture
def broker(shared_broker: KafkaBroker) -> KafkaBroker:
    """Return the broker, started again if a failed test has not done so."""
    if not shared_broker.running:
        shared_broker.start()
    return shared_broker
