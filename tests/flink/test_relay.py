"""The whole way between Pub/Sub and Redis, on a real cluster, with the faults of Pub/Sub."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

import pytest

from tests.kit import flink_run
from tests.kit.clock import ManualClock
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_pipeline import Pipeline, last_states
from tests.kit.flink_users import Everyone
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.pubsub_faults import Faults
from tests.kit.random_users import RandomUsers
from tests.kit.stream_sample import Sample, chosen_users

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]

DAY = 86_400_000
SAMPLE_UNTIL = 857_952_000_000
"""1997-03-10: the sample begins on 1997-01-01."""
FAULTS = Faults(
    seed=5, duplicate=0.2, lose_ack=0.1, expire_lease=0.1, nack_ordered=0.1, delay_ms=5_000,
    unavailable=0.05, lose_answer=0.05,
)  # fmt: skip


def test_from_pubsub_to_redis(cluster: FlinkCluster, broker: KafkaBroker, tmp_path: Path) -> None:
    """What Pub/Sub delivers twice, late and in another order gives each output of the core once, and leaves
    in Redis the core's last flow state of each user (R31).
    """
    purchases = [e for group in chosen_users(60) for e in group if e.time < SAMPLE_UNTIL]
    others = RandomUsers(16)
    people = Everyone(Sample(purchases, SAMPLE_UNTIL), others, end=others.end, states=True)
    clock = ManualClock(people.end + 4 * DAY)
    with ExitStack() as stack:
        pipeline = Pipeline(
            people, cluster, broker, tmp_path, stack, "--slack", "86400", "--heartbeat", "0.2",
            clock=clock,
        )  # fmt: skip
        pipeline.pubsub.faults = FAULTS
        # A record is at most as late as the slack: the next day begins when one has gone through.
        for _, day in groupby(people.records, key=lambda record: record.receipt // DAY):
            pipeline.publish(day)
            pipeline.wait_for_relay(lambda: clock.advance(1_000))
        delivered = pipeline.relay.counts["read"]
        pipeline.pubsub.faults = Faults()
        pipeline.finish()
        pipeline.wait()
        found, states = flink_run.written(broker), pipeline.states()

    wanted = flink_run.by_the_core(people, people.records, people.users)
    assert delivered > len(people.records), "nothing was delivered twice"
    assert {topic for topic, _, _ in wanted} >= {"flow_state", "transition", "message"}
    assert flink_run.differing(wanted, found) == set()
    assert states == last_states(wanted, people.users)
    assert states
