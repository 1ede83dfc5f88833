"""What the keys of a user send each other passes through the job's own topic, on a real cluster."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.kit import flink_run
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_run import EVENTS, LOOPED_TOPIC
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.kafka_topics import read_topic
from tests.kit.random_users import Published, record_of
from tests.kit.reminders import LOGS, MINUTE, SPACE
from transforms.flows.protocol.signals import Event, Handover, ProfileChange, Time
from transforms.hosting.settings import system_clock
from transforms.wire.decode import decode_json
from transforms.wire.raw import Bad

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


def looped(broker: KafkaBroker) -> list[Published]:
    """Return what the job has sent to itself; the ingestion times are the broker's."""
    found = []
    for record in read_topic(broker, LOOPED_TOPIC):
        if record.body:
            signal = decode_json(record.body)
            assert not isinstance(signal, Bad | Time)
            found.append(record_of(record.time, (SPACE, signal.user), signal))
    return found


def test_two_keys_become_one_user(
    cluster: FlinkCluster, broker: KafkaBroker, tmp_path: Path
) -> None:
    """A visitor fills a cart, signs in and orders under the user's id: the job reads back the state and the
    signals that one key has sent to the other, and the order counts for the cart, as in the core (R8).
    """
    now = system_clock()
    cart = Event(id="c", user="anon:7", time=now - 2 * MINUTE, name="Cart")
    joins = ProfileChange(id="j", user="anon:7", time=now - MINUTE, becomes="kim")
    given = [record_of(one.time, (SPACE, "anon:7"), one) for one in (cart, joins)]
    people = SimpleNamespace(end=now + 60 * MINUTE, logs=LOGS)
    flink_run.create_topics(broker)
    job = flink_run.submit(cluster, broker, people, tmp_path, loops=True)
    flink_run.produce(broker, given)
    flink_run.finish(broker, now, drain=False)
    flink_run.finish(broker, now, 1, drain=False, topic=LOOPED_TOPIC)
    while len(back := looped(broker)) < 2:
        cluster.check(job)
        time.sleep(0.5)
    received = max(record.receipt for record in back) + MINUTE
    order = record_of(
        received, (SPACE, "kim"), Event(id="o", user="kim", time=received, name="Order")
    )
    flink_run.produce(broker, [order])
    for topic, partitions in ((EVENTS, 2), (LOOPED_TOPIC, 1)):
        flink_run.finish(broker, people.end, partitions, topic=topic)
    flink_run.wait(cluster, broker, job, loops=True)

    wanted = flink_run.by_the_core(
        people, [*given, *back, order], [(SPACE, "anon:7"), (SPACE, "kim")]
    )
    assert isinstance(back[0].signal, Handover)
    assert ("conversion", SPACE, "kim") in wanted
    assert flink_run.differing(wanted, flink_run.written(broker)) == set()
