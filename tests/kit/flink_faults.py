"""Kills the processes of a Flink pipeline at random, and compares its outputs and states with the core's.

python -m tests.kit.flink_faults --rounds 30 --seed 1

Pub/Sub → relay → Kafka → Flink → Kafka. In each round some records are published, one process is killed
and, after some time, started again. At the end every user exports all that is known about the user, so
the outputs show the states, too.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

import msgspec
import pytest
from google.pubsub_v1.services.publisher import PublisherClient

from tests.kit import flink_cluster, flink_run
from tests.kit.faulty_job import message
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_users import Everyone, sample_users
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.pubsub_server import PubSubServer
from tests.kit.pubsub_servers import World
from tests.kit.random_users import Published, RandomUsers
from tests.kit.relay_process import RelayProcess
from tests.kit.timeouts import PATIENCE
from towpath.flink.errors import FlinkError
from transforms.hosting.receive import HEARTBEAT, KIND

DAY = 86_400_000
KINDS = ("taskmanager", "jobmanager", "broker", "relay")


class Found(msgspec.Struct, frozen=True):
    """What the rounds ended with: the kinds that were killed, and the places whose records differ."""

    killed: list[str]
    outputs: int
    differ: set[flink_run.Place]


class Pipeline:
    """All processes; the cluster has a spare TaskManager, and a new JobManager takes over the job."""

    def __init__(self, people: Everyone, folder: Path, stack: ExitStack) -> None:
        self.broker = stack.enter_context(KafkaBroker(flink_cluster.java()))
        flink_run.create_topics(self.broker)
        self.cluster = stack.enter_context(FlinkCluster(managers=2, available=True))
        self._pubsub = stack.enter_context(PubSubServer())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("PUBSUB_EMULATOR_HOST", self._pubsub.address)
        self._world = World(ordered=True)
        stack.callback(self._world.close)
        self._folder = folder
        self._relay = self._start_relay()
        stack.callback(self._end_relay)
        self.job = flink_run.submit(self.cluster, self.broker, people, folder)

    def publish(self, records: Iterable[Published]) -> None:
        """Publish records, in order of their receipts."""
        client = PublisherClient(transport=self._world.publisher.transport)
        for _, same in groupby(records, key=lambda record: record.key):
            messages = [message(record) for record in same]
            client.publish(topic=self._world.topic, messages=messages, timeout=PATIENCE)

    def finish(self, end: int) -> None:
        """Let everything be handled that is due until an instant."""
        for at in (end + DAY, end + 2 * DAY):
            self._world.publish("", **{KIND: HEARTBEAT, "receipt": str(at)})

    def kill(self, kind: str, rng: random.Random) -> str:
        """Kill a process of a kind; return its name."""
        name = self._worker(rng) if kind == "taskmanager" else kind
        if kind == "broker":
            self.broker.kill()
        elif kind == "relay":
            self._relay.kill()
        else:
            self.cluster.kill(name)
        return name

    def start(self, name: str) -> None:
        """Start a process again."""
        if name == "broker":
            self.broker.start()
        elif name == "relay":
            self._relay = self._start_relay()
        else:
            self.cluster.start(name)

    def wait(self) -> None:
        """Wait until all records have gone through."""
        until = time.monotonic() + PATIENCE
        while self._pubsub.unacked(self._world.subscription):
            assert time.monotonic() < until
            assert self._relay.process.poll() is None, self._relay.talk
            time.sleep(0.2)
        flink_run.wait(self.cluster, self.broker, self.job, faults=True)

    def _start_relay(self) -> RelayProcess:
        return RelayProcess(
            self._folder, "pubsub", "kafka", "--subscription", self._world.subscription,
            "--timestamp-attribute", "receipt", "--idle", "never", "--lease", "10",
            "--brokers", self.broker.address, "--topic", flink_run.EVENTS,
        )  # fmt: skip

    def _end_relay(self) -> None:
        self._relay.__exit__()

    def _worker(self, rng: random.Random) -> str:
        """Return a TaskManager on which the job runs; any one while that is not known."""
        try:
            places = sorted(self.cluster.places(self.job))
        except FlinkError:
            places = []
        return rng.choice(places or ["taskmanager-0", "taskmanager-1"])


def kinds(rng: random.Random) -> Iterator[str]:
    """Yield kinds at random, each of them before any comes again."""
    while True:
        yield from rng.sample(KINDS, len(KINDS))


def run(people: Everyone, rounds: int, seed: int, folder: Path) -> Found:
    """Publish the records in as many pieces as there are rounds, with a kill in each."""
    rng, killed = random.Random(seed), list[str]()
    size = -(-len(people.records) // rounds)
    with ExitStack() as stack:
        pipeline = Pipeline(people, folder, stack)
        for number, kind in zip(range(rounds), kinds(rng), strict=False):
            began = time.monotonic()
            pipeline.publish(people.records[number * size : (number + 1) * size])
            time.sleep(rng.uniform(0, 4))
            name = pipeline.kill(kind, rng)
            time.sleep(rng.uniform(0, 6))
            pipeline.start(name)
            killed.append(kind)
            recovers = rng.random() < 0.7
            if recovers:
                pipeline.wait()
            said = f"after {time.monotonic() - began:.0f} s" if recovers else "not waited for"
            print(f"{number + 1:>3} {name:<14} {said}", file=sys.stderr, flush=True)
        pipeline.finish(people.end)
        pipeline.wait()
        found = flink_run.written(pipeline.broker)
    wanted = flink_run.by_the_core(people, people.records, people.users)
    return Found(killed, sum(map(len, wanted.values())), flink_run.differing(wanted, found))


def main() -> int:
    """Run the rounds; print the differences and totals."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.flink_faults")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--sample", type=int, default=1_000, help="users of the sample")
    parser.add_argument("--random", type=int, default=96, help="users with random histories")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", file=sys.stderr, flush=True)
    flink_cluster.make_environment()
    others = RandomUsers(asked.random)
    people = Everyone(sample_users(asked.sample), others, end=others.end, states=True)
    with tempfile.TemporaryDirectory(prefix="towpath-faults-") as folder:
        found = run(people, asked.rounds, asked.seed, Path(folder))
    print(f"users     {len(people.users):>9,}")
    print(f"records   {len(people.records):>9,}")
    print(f"outputs   {found.outputs:>9,}")
    for kind in KINDS:
        print(f"{kind:<14}{found.killed.count(kind):>5,} killed")
    print(f"differ    {len(found.differ):>9,} {sorted(found.differ)[:10]}")
    return 1 if found.differ else 0


if __name__ == "__main__":
    sys.exit(main())
