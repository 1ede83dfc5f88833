"""What ``make flink-demo`` shows, on some users."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_demo import show
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.stream_purchases import UNTIL, purchases

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


def test_the_funnel_is_that_of_a_replay(
    cluster: FlinkCluster, broker: KafkaBroker, tmp_path: Path
) -> None:
    """Purchases that went through Kafka and the job have the funnel that ``make run`` prints."""
    events = [event for event in purchases(150) if event.time < UNTIL]
    shown = show(cluster, broker, events, tmp_path)

    assert shown.same
    assert {flow.flow: flow.entered > 10 for flow in shown.job.flows} == {
        "second_purchase": True, "vip": True, "win_back": True,
    }  # fmt: skip
