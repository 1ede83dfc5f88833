"""What every Pub/Sub server does for the real client; the same on Google's emulator."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound
from google.cloud import pubsub_v1

from tests.kit.pubsub_servers import texts
from tests.kit.timeouts import PATIENCE


def test_a_message_is_delivered_until_it_is_acknowledged(address, make):
    """A published message is pulled with its data, attributes, id and time, until acknowledged."""
    world = make(address)
    ids = world.publish("one", "two", kind="track")
    got = world.pull_all(2)
    assert sorted(texts(got)) == ["one", "two"]
    assert {each.message.message_id for each in got} == set(ids)
    assert all(dict(each.message.attributes) == {"kind": "track"} for each in got)
    assert all(each.message.publish_time.timestamp() > 1_600_000_000 for each in got)
    world.acknowledge(*got)
    assert world.pull() == []


def test_a_nacked_message_is_redelivered(address, make):
    """A deadline of 0 is a nack: that message is delivered again, and messages still held are not."""
    world = make(address)
    world.publish("one", "two")
    got = world.pull_all(2)
    world.modify(0, got[0])
    (again,) = world.pull_all(1)
    assert again.message == got[0].message
    assert again.ack_id != got[0].ack_id
    assert world.pull() == []


def test_each_subscription_gets_every_message(address, make):
    """Two subscriptions of a topic are independent; one created later starts empty."""
    world = make(address)
    world.publish("one")
    later = world.subscribe("later")
    world.publish("two")
    world.acknowledge(*world.pull_all(2))
    assert texts(world.pull(subscription=later)) == ["two"]


def test_a_stream_respects_flow_control(address, make):
    """Streaming pull delivers every message, and never more at once than the client allows."""
    world = make(address)
    world.publish(*map(str, range(40)))
    held, seen, most = queue.Queue(), set(), 0
    flow = pubsub_v1.types.FlowControl(max_messages=5)
    stream = world.subscriber.subscribe(world.subscription, held.put, flow_control=flow)
    while len(seen) < 40:
        batch = [held.get(timeout=PATIENCE) for _ in range(5)]
        most = max(most, 5 + held.qsize())
        seen |= {message.data.decode() for message in batch}
        for message in batch:
            message.ack()
    stream.cancel()
    stream.result(PATIENCE)
    assert seen == set(map(str, range(40)))
    assert most == 5


def test_ordering_keys_keep_order(address, make):
    """On an ordered subscription a stream gets the messages of each key in order of publication."""
    world = make(address, ordered=True)
    for number in range(10):
        for key in "abc":
            world.publish(f"{key}{number}", key=key)
    order, done = defaultdict(list), threading.Event()

    def receive(message):
        order[message.ordering_key].append(message.data.decode())
        message.ack()
        if sum(map(len, order.values())) >= 30:
            done.set()

    stream = world.subscriber.subscribe(world.subscription, receive)
    assert done.wait(PATIENCE)
    stream.cancel()
    stream.result(PATIENCE)
    assert order == {key: [f"{key}{number}" for number in range(10)] for key in "abc"}


def test_topics_and_subscriptions_are_managed_by_name(address, make):
    """Topics and subscriptions are listed, found, refused if they exist, and gone when deleted."""
    world = make(address)
    listed = world.publisher.list_topics(project=world.project)
    assert [topic.name for topic in listed] == [world.topic]
    assert world.publisher.get_topic(topic=world.topic).name == world.topic
    found = world.subscriber.get_subscription(subscription=world.subscription)
    assert (found.topic, found.ack_deadline_seconds) == (world.topic, 10)
    with pytest.raises(AlreadyExists):
        world.publisher.create_topic(name=world.topic)
    with pytest.raises(AlreadyExists):
        world.subscribe("flows")
    with pytest.raises(InvalidArgument):
        world.publisher.create_topic(name=f"{world.project}/topics/x")
    world.subscriber.delete_subscription(subscription=world.subscription)
    world.publisher.delete_topic(topic=world.topic)
    with pytest.raises(NotFound):
        world.subscriber.get_subscription(subscription=world.subscription)
    with pytest.raises(NotFound):
        world.publish("lost")
