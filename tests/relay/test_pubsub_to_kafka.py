"""The relay from Pub/Sub to Kafka, between real servers: nothing is lost, whatever ends when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka.admin import NewPartitions, NewTopic

from tests.kit.clock import ManualClock
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.kafka_topics import Record, read_topic
from tests.kit.pubsub_faults import Faults
from tests.kit.pubsub_server import PubSubServer
from tests.kit.pubsub_servers import World
from tests.kit.relay_process import RelayProcess
from tests.kit.timeouts import PATIENCE
from towpath.flink.local_cluster import free_port
from towpath.relay.heartbeats import Heartbeats
from towpath.relay.kafka import Brokers
from towpath.relay.process import Unconfirmed
from towpath.relay.pubsub_to_kafka import KafkaTopic
from transforms.sources.pubsub.leases import Delivery

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("relay")]

NOW = 1_700_000_000_000
FAULTS = Faults(
    seed=3, duplicate=0.2, lose_ack=0.2, expire_lease=0.2, nack_ordered=0.1, delay_ms=20_000,
    unavailable=0.1, lose_answer=0.1,
)  # fmt: skip
USERS = 20


class Place:
    """A Pub/Sub server whose clock advances when a test says so, and a topic of Kafka."""

    def __init__(self, broker: KafkaBroker, folder: Path, topic: str) -> None:
        self.broker, self.topic, self.folder = broker, topic, folder
        self.clock = ManualClock(NOW)
        self.server = PubSubServer(clock=self.clock)
        self.sent = list[str]()
        broker.create({topic: 3})

    def relay(self, *words: str) -> RelayProcess:
        return RelayProcess(
            self.folder, "pubsub", "kafka", "--subscription", self.world.subscription,
            "--brokers", self.broker.address, "--topic", self.topic, "--idle", "never",
            "--lease", "10", "--heartbeat", "0.1", *words, PUBSUB_EMULATOR_HOST=self.server.address,
        )  # fmt: skip

    def publish(self, count: int) -> None:
        """Publish records of users, in order of each."""
        for number in range(len(self.sent), len(self.sent) + count):
            user = f"u{number % USERS}"
            self.world.publish(event(user, number), key=user, id=f"e{number}")
            self.sent.append(f"e{number}")

    def wait(self, relay: RelayProcess) -> None:
        """Let time pass until everything is acknowledged."""
        while self.server.unacked(self.world.subscription):
            assert relay.process.poll() is None, relay.talk
            self.clock.advance(500)
            threading.Event().wait(0.05)

    def records(self) -> list[Record]:
        return [record for record in read_topic(self.broker, self.topic) if not record.is_heartbeat]

    def every(self, partition: int) -> list[Record]:
        """Return the records and heartbeats of a partition."""
        return [one for one in read_topic(self.broker, self.topic) if one.partition == partition]

    def beats(self, partition: int) -> list[int]:
        return [record.time for record in self.every(partition) if record.is_heartbeat]

    def first(self) -> dict[bytes, list[str]]:
        """Return the ids of each user in the order in which they were first written."""
        found: dict[bytes, list[str]] = {}
        for record in self.records():
            assert record.key is not None
            ids = found.setdefault(record.key, [])
            if record.headers["id"] not in ids:
                ids.append(record.headers["id"])
        return found

    def wanted(self) -> dict[bytes, list[str]]:
        return {f"u{n}".encode(): self.sent[n::USERS] for n in range(min(USERS, len(self.sent)))}


@pytest.fixture
def place(
    broker: KafkaBroker, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:  # fmt: skip
    made = Place(broker, tmp_path, request.node.name)
    with made.server as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.address)
        made.world = World(ordered=True)
        yield made
        made.world.close()


def event(user: str, number: int) -> str:
    row = {
        "type": "track",
        "event": "Seen",
        "messageId": f"e{number}",
        "userId": user,
        "timestamp": NOW,
    }
    return msgspec.json.encode(row).decode()


def test_a_message_becomes_a_record(place: Place) -> None:
    """A record has the body, the user as its key, the attributes as headers and the receipt as its time;
    one without an id gets that of the message; what cannot be read has no key.
    """
    place.world.publish(event("u0", 0), id="e0", receipt=str(NOW - 5))
    (anonymous,) = place.world.publish("no JSON", space="shop")
    with place.relay("--timestamp-attribute", "receipt") as relay:
        counts = relay.wait(lambda counts: counts["acknowledged"] >= 2)
        assert relay.end() == 0

    found = {record.headers["id"]: record for record in place.records()}
    assert found.keys() == {"e0", anonymous}
    assert found["e0"].body == event("u0", 0).encode()
    assert (found["e0"].key, found["e0"].time) == (b"u0", NOW - 5)
    assert found["e0"].headers == {"id": "e0", "receipt": str(NOW - 5)}
    assert (found[anonymous].key, found[anonymous].time) == (None, NOW)
    assert found[anonymous].headers["space"] == "shop"
    assert (counts["read"], counts["written"], counts["refused"]) == (2, 2, 0)
    assert place.server.unacked(place.world.subscription) == set()


def test_every_fault(place: Place) -> None:
    """With all faults of Pub/Sub together every message arrives, in the order of its user, and is
    acknowledged in the end.
    """
    place.server.faults = FAULTS
    with place.relay() as relay:
        place.publish(300)
        place.wait(relay)
        assert relay.end() == 0

    assert place.first() == place.wanted()


def test_killed_before_it_acknowledged(place: Place) -> None:
    """A relay that is killed after Kafka has confirmed and before the acknowledgement arrived loses
    nothing: the next one writes the messages again.
    """
    place.server.faults = Faults(lose_ack=1.0)
    place.publish(50)
    with place.relay() as relay:
        relay.wait(lambda counts: counts["written"] >= 50)
        relay.kill()
    assert len(place.server.unacked(place.world.subscription)) == 50
    place.server.faults = Faults()
    place.publish(10)
    with place.relay() as relay:
        place.wait(relay)
        assert relay.end() == 0

    assert place.first() == place.wanted()
    assert len(place.records()) >= 110


def test_killed_while_kafka_is_away(place: Place) -> None:
    """What was read while the broker was down is not acknowledged, and not lost with the relay."""
    with place.relay() as relay:
        place.publish(20)
        place.wait(relay)
        place.broker.kill()
        place.publish(40)
        relay.wait(lambda counts: counts["written"] >= 20)
        threading.Event().wait(0.5)
        relay.kill()
    place.broker.start()
    assert len(place.server.unacked(place.world.subscription)) == 40
    with place.relay() as relay:
        place.wait(relay)

    assert place.first() == place.wanted()


def test_the_broker_is_restarted(place: Place) -> None:
    """A relay waits while the broker is away and goes on by itself; nothing is there twice."""
    with place.relay() as relay:
        place.publish(50)
        relay.wait(lambda counts: counts["acknowledged"] >= 50)
        place.broker.kill()
        place.publish(50)
        threading.Event().wait(0.5)
        assert len(place.server.unacked(place.world.subscription)) == 50
        place.broker.start()
        relay.wait(lambda counts: counts["acknowledged"] >= 100)
        assert relay.end() == 0

    assert place.first() == place.wanted()
    assert len(place.records()) == 100


def test_every_partition_gets_heartbeats(place: Place) -> None:
    """Heartbeats with the watermark go to each partition, also while nothing arrives, and to one that is
    added; no record is older than a heartbeat before it.
    """
    receipts = [NOW - 1_000_000 + 1_000 * number for number in range(30)]
    with place.relay("--slack", "0", "--timestamp-attribute", "receipt") as relay:
        for number, receipt in enumerate(receipts):
            place.world.publish(event("u", number), id=f"e{number}", receipt=str(receipt))
            place.wait(relay)
        relay.wait(lambda counts: counts["heartbeats"] >= 30)
        grown = place.broker.admin.create_partitions([NewPartitions(place.topic, 4)])
        grown[place.topic].result(PATIENCE)
        while not place.beats(3):
            assert relay.process.poll() is None, relay.talk
        assert relay.end() == 0

    for partition in range(4):
        assert place.beats(partition)
        assert max(place.beats(partition)) == receipts[-1]
    for partition in range(4):
        latest = 0
        for record in place.every(partition):
            assert record.time >= latest
            latest = max(latest, record.time) if record.is_heartbeat else latest


def test_what_kafka_refuses_stays_in_pubsub(place: Place) -> None:
    """A message that Kafka does not take is neither acknowledged nor in the way of others; the relay counts
    it and ends with 1.
    """
    (large,) = place.world.publish("x" * 2_000_000)
    place.publish(30)
    with place.relay("--property", "message.max.bytes=4000000") as relay:
        while place.server.unacked(place.world.subscription) != {large}:
            assert relay.process.poll() is None, relay.talk
        relay.wait(lambda counts: counts["refused"] >= 1)
        assert relay.end() == 1
    assert place.server.unacked(place.world.subscription) == {large}

    assert place.first() == place.wanted()
    assert "Kafka refuses 1 records" in relay.talk


def test_refused_heartbeats_are_named(
    broker: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """Heartbeats that the broker does not take are logged: without them no wait of the job ends."""
    topic = NewTopic("past", 1, 1, config={"message.timestamp.after.max.ms": "1000"})
    broker.admin.create_topics([topic])["past"].result(PATIENCE)
    producer = Brokers(broker.address, {}).producer()
    while "past" not in producer.list_topics(timeout=PATIENCE).topics:
        pass

    assert Heartbeats(["past"]).send(producer, NOW + 1_000_000_000_000) == 1
    assert producer.flush(PATIENCE) == 0
    assert "Kafka refuses heartbeats" in caplog.text


def test_missing_credentials_are_named(place: Place) -> None:
    """Without credentials for Pub/Sub the relay says so, and ends with 1."""
    gone = place.folder / "gone.json"
    words = ["--subscription", place.world.subscription, "--brokers", place.broker.address]
    with RelayProcess(
        place.folder, "pubsub", "kafka", *words, "--topic", place.topic,
        PUBSUB_EMULATOR_HOST="", GOOGLE_APPLICATION_CREDENTIALS=str(gone),
    ) as relay:  # fmt: skip
        assert relay.process.wait(PATIENCE) == 1
    assert f"error: Pub/Sub: File {gone} was not found" in relay.talk


def test_ended_while_kafka_is_away() -> None:
    """A relay that is ended without a broker says so, instead of waiting for ever."""
    stopped = threading.Event()
    topic = KafkaTopic(Brokers(f"127.0.0.1:{free_port()}"), "events", stopped, grace=0.1)
    stopped.set()
    message = Delivery("a", b"{}", {}, NOW, "m", NOW)

    with pytest.raises(Unconfirmed):
        topic.write([message])
