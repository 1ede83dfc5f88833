"""A broker for the tests of a module, which may kill it and must start it again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit import flink_cluster
from tests.kit.kafka_broker import KafkaBroker


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaBroker]:
    flink_cluster.make_environment()
    with KafkaBroker(flink_cluster.java()) as running:
        yield running
