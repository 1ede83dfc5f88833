"""Pub/Sub → relay → Kafka → the job on Flink → Kafka → relay → Redis: all processes, and users' records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

import pytest
from google.api_core.retry import Retry, if_transient_error
from google.pubsub_v1.services.publisher import PublisherClient

from schemas import wire
from tests.kit import flink_run
from tests.kit.clock import Clock, system_clock
from tests.kit.faulty_job import message
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_run import EVENTS, Written
from tests.kit.flink_users import Everyone
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.kafka_topics import behind
from tests.kit.pubsub_server import PubSubServer
from tests.kit.pubsub_servers import World
from tests.kit.random_users import Key, Published
from tests.kit.redis_server import RedisServer
from tests.kit.relay_process import RelayProcess
from tests.kit.timeouts import PATIENCE
from transforms.flows.protocol.outputs import Erased, FlowState
from transforms.hosting.receive import HEARTBEAT, KIND
from transforms.sinks.redis import State, open_states
from transforms.wire.messages import from_message

DAY = 86_400_000
GROUP = "states"
STATES = ("flow_state", "erased")
"""The topics that are written to Redis."""
RETRY = Retry(predicate=if_transient_error, initial=0.01, maximum=0.1, timeout=PATIENCE)

States = dict[Key, State]


class Pipeline:
    """The processes on a cluster and a broker; ``words`` are for the relay from Pub/Sub."""

    def __init__(
        self,
        people: Everyone,
        cluster: FlinkCluster,
        broker: KafkaBroker,
        folder: Path,
        stack: ExitStack,
        *words: str,
        clock: Clock = system_clock,
    ) -> None:
        self.cluster, self.broker = cluster, broker
        self._people, self._folder, self._words = people, folder, words
        flink_run.create_topics(broker)
        self.pubsub = stack.enter_context(PubSubServer(clock=clock))
        self.store = stack.enter_context(RedisServer("valkey", durable=True))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("PUBSUB_EMULATOR_HOST", self.pubsub.address)
        self._world = World(ordered=True)
        stack.callback(self._world.close)
        self.relay = self.start_relay()
        self.states_relay = self.start_states_relay()
        stack.callback(self._end_relays)
        self.job = flink_run.submit(cluster, broker, people, folder)

    def start_relay(self) -> RelayProcess:
        """Start the relay from Pub/Sub."""
        self.relay = RelayProcess(
            self._folder, "pubsub", "kafka", "--subscription", self._world.subscription,
            "--timestamp-attribute", "receipt", "--idle", "never", "--lease", "10",
            "--brokers", self.broker.address, "--topic", EVENTS, *self._words,
        )  # fmt: skip
        return self.relay

    def start_states_relay(self) -> RelayProcess:
        """Start the relay to Redis."""
        topics = [word for topic in STATES for word in ("--topic", topic)]
        self.states_relay = RelayProcess(
            self._folder, "kafka", "redis", "--brokers", self.broker.address, *topics,
            "--group", GROUP, "--redis", self.store.url, "--property", "session.timeout.ms=6000",
        )  # fmt: skip
        return self.states_relay

    def publish(self, records: Iterable[Published]) -> None:
        """Publish records, in order of their receipts."""
        client = PublisherClient(transport=self._world.publisher.transport)
        for _, same in groupby(records, key=lambda record: record.key):
            messages = [message(record) for record in same]
            client.publish(
                topic=self._world.topic, messages=messages, retry=RETRY, timeout=PATIENCE
            )

    def finish(self) -> None:
        """Let everything be handled that is due until the end, and what waits for its turn."""
        for day in (2, 3):
            at = self._people.end + day * DAY
            self._world.publish("", **{KIND: HEARTBEAT, "receipt": str(at)})

    def wait_for_relay(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until all messages are acknowledged."""
        until = time.monotonic() + PATIENCE
        while self.pubsub.unacked(self._world.subscription):
            assert time.monotonic() < until
            assert self.relay.process.poll() is None, self.relay.talk
            meanwhile()
            time.sleep(0.05)

    def wait(self, faults: bool = False) -> None:
        """Wait until all records have gone through the relay and the job, and all states to Redis."""
        self.wait_for_relay()
        flink_run.wait(self.cluster, self.broker, self.job, faults=faults)
        until = time.monotonic() + PATIENCE
        while behind(self.broker, GROUP, STATES):
            assert time.monotonic() < until
            assert self.states_relay.process.poll() is None, self.states_relay.talk
            time.sleep(0.2)

    def states(self) -> States:
        """Read the states of all users from Redis."""
        store = open_states(self.store.url)
        found = {key: store.get_state(*key) for key in self._people.users}
        return {key: state for key, state in found.items() if state}

    def _end_relays(self) -> None:
        self.relay.__exit__()
        self.states_relay.__exit__()


def last_states(wanted: Written, users: Sequence[Key]) -> States:
    """Return the states that Redis should have after these outputs: none of users who were erased."""
    found = {}
    for key in users:
        bodies = [(kind, body) for kind in STATES for body in wanted.get((kind, *key), [])]
        outputs = [from_message(body, wire.attributes(kind, "json")) for kind, body in bodies]
        states = [one for one in outputs if isinstance(one, FlowState | Erased)]
        newest = max(states, key=lambda state: state.sequence, default=None)
        if isinstance(newest, FlowState):
            found[key] = State(
                newest.sequence, newest.at, tuple(newest.flows), dict(newest.promotions)
            )
    return found
