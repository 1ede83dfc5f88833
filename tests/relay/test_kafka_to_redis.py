"""The relay from Kafka to Redis, between real servers: the newest state of each user arrives."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from confluent_kafka import Producer

from schemas.wire import Encoding
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.redis_server import RedisServer
from tests.kit.relay_process import RelayProcess
from tests.kit.timeouts import PATIENCE
from transforms.flows.protocol.outputs import Erased, FlowState, ProfileUpdate
from transforms.sinks.redis import open_states, state_key
from transforms.wire.messages import to_message

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("relay")]

NOW = 1_700_000_000_000
SPACE = "shop"
USERS = 50

Sent = FlowState | Erased | ProfileUpdate


class Place:
    """Topics of a job's outputs, and a Redis that keeps what it has confirmed."""

    def __init__(self, broker: KafkaBroker, store: RedisServer, folder: Path, name: str) -> None:
        self.broker, self.store, self._folder, self._name = broker, store, folder, name
        self._states, self._erased = f"{name}.flow_state", f"{name}.erased"
        broker.create({self._states: 3, self._erased: 1})
        self.producer = self.make_producer()

    def make_producer(self, **settings: Any) -> Producer:
        own = {"bootstrap.servers": self.broker.address, "log_level": 0}
        return Producer(own | {"enable.idempotence": True} | settings)

    def relay(self, *words: str) -> RelayProcess:
        return RelayProcess(
            self._folder, "kafka", "redis", "--brokers", self.broker.address, "--topic", self._states,
            "--topic", self._erased, "--group", self._name, "--redis", "env:STATES",
            "--property", "session.timeout.ms=6000", *words, STATES=self.store.url,
        )  # fmt: skip

    def send(
        self, given: Iterable[Sent], encoding: Encoding = "json", producer: Producer | None = None
    ) -> None:
        """Publish outputs as the job does."""
        producer = producer or self.producer
        for one in given:
            message = to_message(SPACE, one, encoding)
            topic = self._erased if isinstance(one, Erased) else self._states
            producer.produce(
                topic, message.data, message.ordering_key, headers={**message.attributes}
            )
        assert producer.flush(PATIENCE) == 0

    def send_raw(self, body: bytes, **headers: str) -> None:
        """Publish a record that is none of the job's."""
        self.producer.produce(self._states, body, headers={**headers})
        assert self.producer.flush(PATIENCE) == 0

    def members(self) -> int:
        """Return how many members the group has."""
        found = self.broker.admin.describe_consumer_groups([self._name])
        return len(found[self._name].result(PATIENCE).members)

    def held(self) -> dict[str, int]:
        """Return the sequence of each user who has a state in Redis."""
        states = open_states(self.store.url)
        found = {name: states.get_state(SPACE, name) for name in map(user, range(USERS))}
        return {name: state.sequence for name, state in found.items() if state}


@pytest.fixture
def place(broker: KafkaBroker, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    with RedisServer("valkey", durable=True) as store:
        yield Place(broker, store, tmp_path, request.node.name)


def user(number: int) -> str:
    return f"u{number}"


def state(number: int) -> FlowState:
    """Return a state; those of a user have rising sequences."""
    flows = [{"flow": "cart", "step": f"step{number}"}]
    return FlowState(f"s{number}", user(number % USERS), NOW + number, number, flows, {})


def newest(count: int) -> dict[str, int]:
    """Return the newest sequence of each user among so many states."""
    return {user(number % USERS): number for number in range(count)}


def test_the_newest_state_of_each_user_arrives(place: Place) -> None:
    """States in both encodings, old ones and repeated ones make each user's newest one, as a whole; users
    who were erased are gone, whichever record comes first.
    """
    erased = Erased(id="e", user="u1", at=NOW, sequence=10_000, until=NOW + 1)
    place.send(map(state, range(500)))
    place.send(map(state, range(500, 1_000)), "avro")
    place.send([erased])
    place.send(map(state, [3, 4, 101, 999]))
    with place.relay() as relay:
        counts = relay.wait(lambda counts: counts["read"] >= 1_005)
        assert relay.end() == 0

    wanted = newest(1_000)
    del wanted["u1"]
    assert place.held() == wanted
    found = open_states(place.store.url).get_state(SPACE, "u49")
    assert found is not None
    assert (found.at, found.flows) == (NOW + 999, ({"flow": "cart", "step": "step999"},))
    assert counts["written"] + counts["stale"] == 1_005
    assert (counts["invalid"], counts["refused"]) == (0, 0)


def test_killed_while_redis_is_away(place: Place) -> None:
    """What a relay has read and Redis has not confirmed is not lost with the relay: the next one reads it
    again.
    """
    place.send(map(state, range(100)))
    with place.relay() as relay:
        relay.wait(lambda counts: counts["written"] >= USERS)
        place.store.kill()
        place.send(map(state, range(100, 5_000)))
        relay.wait(lambda counts: counts["read"] > 100)
        relay.kill()
    place.store.start()
    assert place.held() == newest(100)
    with place.relay() as relay:
        relay.wait(lambda counts: counts["read"] >= 4_900)
        assert relay.end() == 0

    assert place.held() == newest(5_000)


def test_killed_in_the_middle(place: Place) -> None:
    """A relay that is killed while it writes is followed by another one, which goes on where it was."""
    place.send(map(state, range(20_000)))
    with place.relay() as relay:
        relay.wait(lambda counts: counts["written"] > 0)
        relay.kill()
    with place.relay() as relay:
        while place.held() != newest(20_000):
            assert relay.process.poll() is None, relay.talk
        assert relay.end() == 0


def test_redis_is_restarted(place: Place) -> None:
    """A relay waits while Redis is away, and goes on by itself."""
    place.send(map(state, range(100)))
    with place.relay() as relay:
        relay.wait(lambda counts: counts["read"] >= 100)
        place.store.kill()
        place.send(map(state, range(100, 200)))
        relay.wait(lambda counts: counts["read"] > 100)
        place.store.start()
        while place.held() != newest(200):
            assert relay.process.poll() is None, relay.talk
        assert relay.end() == 0

    assert place.held() == newest(200)


def test_redis_is_away_for_long(place: Place) -> None:
    """If Redis is away for longer than a member of a group may pause, the relay loses its partitions, gets
    them again, and goes on by itself.
    """
    with place.relay("--property", "max.poll.interval.ms=6000") as relay:
        place.send(map(state, range(100)))
        relay.wait(lambda counts: counts["written"] > 0)
        place.store.kill()
        place.send(map(state, range(100, 200)))
        while place.members():
            assert relay.process.poll() is None, relay.talk
        place.store.start()
        while place.held() != newest(200):
            assert relay.process.poll() is None, relay.talk
        assert relay.end() == 0


def test_the_broker_is_restarted(place: Place) -> None:
    """A relay waits while Kafka is away, and goes on by itself; what is done stays done."""
    place.send(map(state, range(100)))
    with place.relay() as relay:
        relay.wait(lambda counts: counts["read"] >= 100)
        place.broker.kill()
        threading.Event().wait(0.5)
        place.broker.start()
        place.send(map(state, range(100, 200)))
        while place.held() != newest(200):
            assert relay.process.poll() is None, relay.talk
        assert relay.end() == 0
    with place.relay() as relay:
        place.send(map(state, [200]))
        counts = relay.wait(lambda counts: counts["read"] > 0)
        assert relay.end() == 0

    assert counts["read"] == 1


def test_only_committed_transactions_are_written(place: Place) -> None:
    """States of a transaction that is open or aborted are never written; those of a committed one are."""
    writers = [
        place.make_producer(**{"transactional.id": f"{end}{place.store.port}"}) for end in "abc"
    ]
    for writer in writers:
        writer.init_transactions(PATIENCE)
        writer.begin_transaction()
    committed, aborted, left = writers
    place.send([state(1)], producer=committed)
    place.send([state(2)], producer=aborted)
    aborted.abort_transaction(PATIENCE)
    with place.relay() as relay:
        committed.commit_transaction(PATIENCE)
        relay.wait(lambda counts: counts["written"] >= 1)
        place.send([state(3)], producer=left)
        threading.Event().wait(0.5)
        assert place.held() == {"u1": 1}
        left.abort_transaction(PATIENCE)
        place.send([state(4)])
        relay.wait(lambda counts: counts["written"] >= 2)
        assert relay.end() == 0

    assert place.held() == {"u1": 1, "u4": 4}


def test_what_cannot_be_written_is_left_out(place: Place) -> None:
    """Records that are no states, and states that Redis refuses, are counted, logged and left out; the
    others are written, and the relay ends with 1.
    """
    client = redis.Redis.from_url(place.store.url)
    client.set(state_key(SPACE, "u3"), "of another program")
    place.send_raw(b"no JSON", schema="flow_state:1", space=SPACE)
    place.send_raw(b"{}")
    place.send([ProfileUpdate(id="p", user="u1", at=NOW)])
    place.send(map(state, range(50)))
    with place.relay() as relay:
        counts = relay.wait(lambda counts: counts["read"] >= 53)
        assert relay.end() == 1
        assert relay.talk.count("no flow state at ") == 3
        assert "Redis refuses s3: WRONGTYPE" in relay.talk
    place.send([state(50)])
    with place.relay() as relay:
        after = relay.wait(lambda counts: counts["read"] > 0)
        assert relay.end() == 0

    assert counts["written"] + counts["stale"] == 49
    assert (counts["invalid"], counts["refused"]) == (3, 1)
    assert after["read"] == 1
    assert client.getdel(state_key(SPACE, "u3")) == b"of another program"
    assert place.held() == {name: at for name, at in newest(51).items() if name != "u3"}


def test_ended_while_redis_is_away(place: Place) -> None:
    """A relay that is ended without Redis says that states are missing; the next one writes them."""
    place.store.kill()
    place.send(map(state, range(10)))
    with place.relay() as relay:
        relay.wait(lambda counts: counts["read"] > 0)
        assert relay.end() == 1
        assert "reads the states again" in relay.talk
    place.store.start()
    with place.relay() as relay:
        relay.wait(lambda counts: counts["written"] >= 10)
        assert relay.end() == 0

    assert place.held() == newest(10)


def test_relays_share_the_partitions(place: Place) -> None:
    """Two relays of a group write all states together."""
    place.send(map(state, range(1_000)))
    with place.relay() as first, place.relay() as second:
        number = 1_000
        while not (first.counts.get("read") and second.counts.get("read")):
            assert first.process.poll() is second.process.poll() is None
            place.send([state(number)])
            number += 1
        while place.held() != newest(number):
            assert first.process.poll() is None, first.talk
        assert (first.end(), second.end()) == (0, 0)


def test_states_of_the_next_epoch(place: Place) -> None:
    """States of a job that began anew replace those of the one before it, whose sequences are higher."""
    place.send([state(101)])
    with place.relay() as relay:
        relay.wait(lambda counts: counts["written"] >= 1)
        assert relay.end() == 0
    place.send([state(1)])
    with place.relay("--epoch", "1") as relay:
        relay.wait(lambda counts: counts["written"] >= 1)
        assert relay.end() == 0

    assert place.held() == {"u1": 1}
