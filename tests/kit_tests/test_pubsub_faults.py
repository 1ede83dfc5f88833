"""What only the kit's own server has: leases on a manual clock, and faults."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import grpc
import pytest
from google.api_core.exceptions import InvalidArgument
from google.pubsub_v1 import types

from tests.kit.pubsub_faults import Faults
from tests.kit.pubsub_servers import texts
from tests.kit.pubsub_subscription import Message, Subscription
from tests.kit.timeouts import PATIENCE

LEASE = 10_000
ROOT = Path(__file__).parents[2]


def test_a_lease_ends_unless_it_is_extended(server, make, clock):
    """A message is delivered again when its lease has ended, counted, and not while it is extended."""
    world = make(server.address)
    world.publish("one", "two")
    one, two = world.pull()
    world.modify(60, two)
    clock.advance(LEASE)
    (again,) = world.pull()
    assert (again.message, again.delivery_attempt) == (one.message, 2)
    world.acknowledge(one)
    assert len(server.unacked(world.subscription)) == 2, "the first lease has no more say"
    clock.advance(50_000)
    assert sorted(texts(world.pull())) == ["one", "two"]


def test_a_nack_redelivers_later_messages_of_its_key(server, make):
    """After an ordered nack the key's later messages are delivered again in order, even
    acknowledged.
    """
    world = make(server.address, ordered=True)
    world.publish("a1", "a2", "a3", key="a")
    world.publish("b1", key="b")
    one, two, three, other = world.pull()
    assert texts([one, two, three, other]) == ["a1", "a2", "a3", "b1"]
    world.acknowledge(two, other)
    world.modify(0, one)
    assert texts(world.pull()) == ["a1", "a2", "a3"]


def test_a_key_has_one_consumer_at_a_time(server, make):
    """While messages of a key are held, its next ones go to no other pull."""
    world = make(server.address, ordered=True)
    world.publish("a1", "a2", key="a")
    (first,) = world.pull(1)
    world.publish("b1", key="b")
    assert texts(world.pull()) == ["b1"]
    world.acknowledge(first)
    assert texts(world.pull()) == ["a2"]


def test_filters_are_equalities_or_refused(server, make):
    """A filter by attributes is applied; one that the server does not support is refused."""
    world = make(server.address, filter='attributes.kind = "track" AND attributes.space = "x"')
    world.publish("yes", kind="track", space="x")
    world.publish("no", kind="track", space="y")
    assert texts(world.pull()) == ["yes"]
    with pytest.raises(InvalidArgument, match="cannot read: hasPrefix"):
        world.subscribe("other", filter='hasPrefix(attributes.kind, "t")')


def test_duplicates_have_the_same_message_id(server, make):
    """With duplicates on, a message is delivered twice under one id, even if acknowledged at once."""
    world = make(server.address)
    server.faults = Faults(duplicate=0.3)
    published = world.publish(*map(str, range(100)))
    ids = _drain(world)
    assert set(ids) == set(published)
    assert 110 < len(ids) < 200


def test_reordering_is_limited(server, make):
    """With reordering on, messages change places, none by more than the limit."""
    world = make(server.address)
    server.faults = Faults(reorder=8)
    published = world.publish(*map(str, range(200)))
    ids = _drain(world)
    moved = [abs(ids.index(each) - place) for place, each in enumerate(sorted(published, key=int))]
    assert 0 < max(moved) <= 8
    assert sorted(ids) == sorted(published)


def test_messages_of_lost_acks_are_redelivered_after_their_lease(server, make, clock):
    """After a lost acknowledgement the message is delivered again at the end of the lease."""
    world = make(server.address)
    server.faults = Faults(lose_ack=0.5)
    published = world.publish(*map(str, range(50)))
    first = _drain(world)
    assert len(first) == 50
    left = server.unacked(world.subscription)
    assert 10 < len(left) < 40
    clock.advance(LEASE)
    assert set(_drain(world)) == left < set(published)


def test_messages_of_expired_leases_are_redelivered_at_once(server, make):
    """A message whose lease the server ends is delivered again at once, as a further attempt."""
    world = make(server.address)
    server.faults = Faults(expire_lease=0.5)
    world.publish(*map(str, range(50)))
    first = world.pull()
    second = world.pull()
    assert 10 < len(second) < 40
    assert {each.delivery_attempt for each in second} == {2}
    assert {each.message.message_id for each in second} < {e.message.message_id for e in first}


def test_ordered_nacks_keep_the_order_of_each_pass(server, make):
    """When the server takes back an ordered message, all later ones are delivered again in order."""
    world = make(server.address, ordered=True)
    server.faults = Faults(nack_ordered=0.3)
    published = world.publish(*map(str, range(12)), key="user")
    ids = _drain(world)
    assert set(ids) == set(published)
    assert len(ids) > 12
    places = [published.index(each) for each in ids]
    assert all(after <= before + 1 for before, after in pairwise(places))


def test_delayed_messages_arrive_within_the_delay(server, make, clock):
    """With delays on, messages arrive later, all of them within the limit."""
    world = make(server.address)
    server.faults = Faults(delay_ms=5_000)
    world.publish(*map(str, range(100)))
    assert world.pull() == []
    clock.advance(2_500)
    assert 20 < len(world.pull()) < 80
    clock.advance(2_500)
    assert len(server.unacked(world.subscription)) == 100
    assert world.pull()


def test_a_refused_call_has_no_effect_and_a_lost_answer_has_one(server, make):
    """UNAVAILABLE before the effect publishes once, after it twice; the caller sees no difference."""
    world = make(server.address)
    request = types.PublishRequest(topic=world.topic, messages=[{"data": b"x"}])
    publish = world.publisher.transport.publish
    for faults, left in ((Faults(unavailable=1.0), 0), (Faults(lose_answer=1.0), 1)):
        server.faults = faults
        with pytest.raises(grpc.RpcError) as refused:
            publish(request)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert len(server.unacked(world.subscription)) == left
    server.faults = Faults(lose_answer=0.5)
    world.publish(*map(str, range(30)))
    server.faults = Faults()
    assert len(world.pull()) > 31, "the client's retries published again"


@pytest.mark.parametrize("ordered", [False, True])
def test_a_seed_gives_the_same_faults(ordered):
    """The same seed and calls give the same deliveries; another seed gives others."""
    assert _history(1, ordered) == _history(1, ordered) != _history(2, ordered)


def test_the_server_runs_as_a_command():
    """``python -m tests.kit.pubsub_server`` prints its address, and ends on a signal."""
    command = [sys.executable, "-m", "tests.kit.pubsub_server", "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert re.fullmatch(r"PUBSUB_EMULATOR_HOST=127\.0\.0\.1:\d+\n", process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def _drain(world) -> list[str]:
    """Pull and acknowledge until nothing arrives; return the ids in order of arrival."""
    ids = []
    while got := world.pull(7):
        ids += [each.message.message_id for each in got]
        world.acknowledge(*got)
    return ids


def _history(seed: int, ordered: bool) -> list[tuple[str, int]]:
    subscription = Subscription(LEASE, ordered=ordered)
    subscription.faults = Faults(
        seed=seed, duplicate=0.2, reorder=5, lose_ack=0.3, expire_lease=0.1, nack_ordered=0.2
    )
    for number in range(60):
        subscription.add(Message(str(number), b"x", {}, f"u{number % 7}", 0), 0)
    seen, now = [], 0
    while subscription.unacked():
        given = subscription.pull(9, now)
        seen += [(each.message.message_id, each.attempt) for each in given]
        subscription.acknowledge([each.ack_id for each in given], now)
        now += 3_000
    return seen
