"""Outputs reach their topics with their ids, in order by user, with any fault of the broker."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import pytest
from google.pubsub_v1.types import ReceivedMessage

import pipelines.stream_options
from tests.kit.pubsub_faults import Faults
from tests.kit.pubsub_server import PubSubServer
from tests.kit.pubsub_servers import SERVERS, World, running, texts
from transforms.flows.protocol.outputs import Emitted, Message
from transforms.flows.protocol.signals import Event
from transforms.sinks.checked import BadRow
from transforms.sinks.outgoing import LOOPED, Outgoing, topics_of
from transforms.sinks.pubsub import MAX_DATA, MAX_MESSAGES, NotPublished, Publisher, Topics
from transforms.sources.pubsub.client import delivery
from transforms.wire.messages import from_message, to_signal


@pytest.fixture(scope="module", params=SERVERS)
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with running(request.param) as address:
        yield address


@pytest.fixture
def publisher(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
    publisher = Publisher()
    publisher.setup()
    yield publisher
    publisher.teardown()


class Publish(beam.DoFn):
    """Publishes the outputs of its bundle, like a pipeline."""

    def __init__(self):
        self.publisher = Publisher()

    def setup(self):
        self.publisher.setup()

    def process(self, element):
        self.publisher.add(element)

    def finish_bundle(self):
        self.publisher.flush()

    def teardown(self):
        self.publisher.teardown()


def _output(topic: str, number: int, users: int = 3) -> Outgoing:
    return Outgoing(
        topic=topic,
        id=f"id{number}",
        space="shop",
        kind="message",
        schema="message:1",
        encoding="json",
        flow="win_back",
        user=f"u{number % users}",
        data=str(number).encode(),
    )


def test_a_message_has_the_attributes_that_consumers_need(publisher):
    """A message has its kind, encoding and space as attributes, and its user as ordering key."""
    world = World(ordered=True)
    publisher.add(_output(world.topic, 4))
    assert world.pull() == []
    publisher.flush()
    (got,) = world.pull_all(1)
    assert dict(got.message.attributes) == {
        "id": "id4",
        "space": "shop",
        "kind": "message",
        "schema": "message:1",
        "encoding": "json",
        "flow": "win_back",
    }
    assert (got.message.ordering_key, got.message.data) == ("u1", b"4")
    publisher.flush()
    assert world.pull() == []
    world.close()


def test_outputs_of_a_user_keep_their_order(publisher):
    """Users' outputs are published in parallel, those of one user one after another."""
    world = World(ordered=True)
    for number in range(60):
        publisher.add(_output(world.topic, number))
    publisher.flush()
    got = list(map(int, texts(world.pull_all(60))))
    for user in range(3):
        assert [number for number in got if number % 3 == user] == list(range(user, 60, 3))
    world.close()


def test_a_dofn_publishes_with_its_bundle(address, monkeypatch):
    """In a pipeline every output is published when its bundle has ended."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
    world = World(ordered=True)
    with beam.Pipeline(runner="BundleBasedDirectRunner") as pipeline:
        outputs = [_output(world.topic, number) for number in range(30)]
        pipeline | "Outputs" >> beam.Create(outputs) | "Publish" >> beam.ParDo(Publish())
    assert sorted(map(int, texts(world.pull_all(30)))) == list(range(30))
    world.close()


def test_large_batches_are_divided_into_requests(address, monkeypatch):
    """Without ordering keys outputs are published in batches, as many as one request may hold."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
    world, publisher = World(), Publisher(ordered=False)
    publisher.setup()
    count = 2 * MAX_MESSAGES + 5
    for number in range(count):
        publisher.add(_output(world.topic, number))
    publisher.flush()
    got = world.pull_all(count)
    assert {each.message.attributes["id"] for each in got} == {f"id{n}" for n in range(count)}
    assert {each.message.ordering_key for each in got} == {""}
    publisher.teardown()
    world.close()


def test_failed_outputs_are_published_by_the_next_try(publisher):
    """A topic that does not exist is reported; its outputs wait, others have been published."""
    world = World(ordered=True)
    other = f"{world.project}/topics/other"
    for number in range(4):
        publisher.add(_output(world.topic if number % 2 else other, number))
    with pytest.raises(NotPublished, match="2 outputs are not published: 404") as failed:
        publisher.flush()
    assert failed.value.left == 2
    assert sorted(texts(world.pull_all(2))) == ["1", "3"]
    world.publisher.create_topic(name=other)
    publisher.flush()
    publisher.flush()
    assert world.pull() == []
    world.close()


def test_failed_calls_are_retried_in_order_with_the_same_ids(monkeypatch):
    """Refused calls and lost answers cause duplicates by id (R31), and no gap or disorder."""
    with PubSubServer() as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.address)
        world, publisher = World(ordered=True), Publisher()
        publisher.setup()
        server.faults = Faults(unavailable=0.2, lose_answer=0.3)
        for number in range(60):
            publisher.add(_output(world.topic, number, users=12))
            if number % 24 == 23:
                publisher.flush()
        publisher.flush()
        server.faults = Faults()
        got = [(each.message.attributes["id"], each.message.data) for each in world.pull()]
        assert len(got) > 60
        first = list(dict.fromkeys(got))
        assert len(first) == 60
        for user in range(12):
            mine = [int(data) for _, data in first if int(data) % 12 == user]
            assert mine == list(range(user, 60, 12))
        publisher.teardown()
        world.close()


@pytest.mark.parametrize("encoding", ["json", "avro"])
def test_an_output_is_read_back_from_its_topic(publisher, encoding):
    """Attributes give the encoding and the space, also of events that return to the flows."""
    world = World(ordered=True)
    sink = Topics({"emitted": world.topic, "message": world.topic}, encoding, publisher)
    emitted = Emitted(
        id="e", user="kim", at=5 * 10**11, name="Won", properties={"n": 1}, flow="f", step="s"
    )
    sink.write([("shop", emitted), ("shop", _message("m", "kim"))])
    sink.flush()
    event, message = (each.message for each in world.pull_all(2))
    assert to_signal(event.data, event.attributes) == Event(
        id="e", user="kim", time=5 * 10**11, name="Won", properties={"n": 1}
    )
    assert from_message(message.data, message.attributes) == _message("m", "kim")
    assert event.attributes["space"] == message.attributes["space"] == "shop"
    world.close()


def test_an_output_over_the_limits_of_the_broker_is_reported(publisher):
    """An output over the limits of the broker is reported and not retried; others are published."""
    world = World(ordered=True)
    sink = Topics({"message": world.topic}, "json", publisher)
    large, long = _message("m1", "kim", "x" * MAX_DATA), _message("m2", "k" * 1025)
    wrote = sink.write([("shop", large), ("shop", long), ("shop", _message("m3", "k" * 1024))])
    sink.flush()
    assert wrote.bad == (
        BadRow("m1", f"its body has more than {MAX_DATA} bytes"),
        BadRow("m2", "its id, user, space or flow has more than 1024 bytes"),
    )
    assert [each.message.attributes["id"] for each in world.pull_all(1)] == ["m3"]
    world.close()


def test_topics_are_named_by_kind():
    """Each kind has a topic with the prefix; outputs that flows must read go to the events topic."""
    topics = topics_of("projects/p/topics/eu-")
    assert topics["message"] == "projects/p/topics/eu-message"
    assert topics["emitted"] == topics["handover"] == "projects/p/topics/eu-events"
    assert topics == pipelines.stream_options.topics_of("p", "eu-")


def _message(ident: str, user: str, text: str = "") -> Message:
    return Message(
        id=ident, user=user, at=1, flow="f", version=1, session="s", step="x", communication=ident,
        channel="email", address="a@example.com", template="t", template_version="1",
        data={"text": text},
    )  # fmt: skip


def test_what_the_job_sends_to_itself_has_the_timestamp_attribute(publisher):
    """A source that reads the receipt from an attribute finds it on the job's own events.

    It is the time of publication, so the watermark is not behind it. Other topics do not get it.
    """
    world = World(ordered=True)
    kinds = dict.fromkeys([*LOOPED, "message"], world.topic)
    sink = Topics(kinds, "json", publisher, "receipt")
    emitted = Emitted(
        id="e", user="kim", at=5 * 10**11, name="Won", properties={}, flow="f", step="s"
    )
    sink.write([("shop", emitted), ("shop", _message("m", "kim"))])
    sink.flush()
    received = world.pull_all(2)
    by_id = {each.message.attributes["id"]: each for each in received}

    found = delivery(ReceivedMessage.pb(by_id["e"]), "receipt")
    assert found.timestamp == int(found.attributes["receipt"])
    assert 0 <= found.published - found.timestamp < 60_000
    assert "receipt" not in by_id["m"].message.attributes
    world.close()
