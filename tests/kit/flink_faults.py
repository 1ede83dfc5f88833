"""Kills the processes of a Flink pipeline at random, and compares its outputs and states with the core's.

python -m tests.kit.flink_faults --rounds 30 --seed 1

Pub/Sub → relay → Kafka → Flink → Kafka → relay → Redis. In each round some records are published, one
process is killed and, after some time, started again. At the end every user exports all that is known
about the user, so the outputs show the states of the job, too. Redis writes each change to its disk
before it confirms it (appendfsync always): otherwise it would lose some when it is killed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec

from tests.kit import flink_cluster, flink_run
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_pipeline import Pipeline, last_states
from tests.kit.flink_users import Everyone, sample_users
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.random_users import Key, RandomUsers
from towpath.flink.errors import FlinkError

KINDS = ("taskmanager", "jobmanager", "broker", "relay", "redis", "redis-relay")


class Found(msgspec.Struct, frozen=True):
    """What the rounds ended with: the kinds that were killed, the places whose records differ, and the
    users whose state in Redis does.
    """

    killed: list[str]
    outputs: int
    differ: set[flink_run.Place]
    states: int
    states_differ: set[Key]


class Killer:
    """Kills processes of a pipeline; one of its two TaskManagers is a spare one, and a new JobManager
    takes over the job.
    """

    def __init__(self, pipeline: Pipeline, rng: random.Random) -> None:
        self._pipeline, self._cluster, self._rng = pipeline, pipeline.cluster, rng

    def kill(self, kind: str) -> str:
        """Kill a process of a kind; return its name."""
        match kind:
            case "broker":
                self._pipeline.broker.kill()
            case "redis":
                self._pipeline.store.kill()
            case "relay":
                self._pipeline.relay.kill()
            case "redis-relay":
                self._pipeline.states_relay.kill()
            case _:
                name = self._worker() if kind == "taskmanager" else kind
                self._cluster.kill(name)
                return name
        return kind

    def start(self, name: str) -> None:
        """Start a process again."""
        match name:
            case "broker":
                self._pipeline.broker.start()
            case "redis":
                self._pipeline.store.start()
            case "relay":
                self._pipeline.start_relay()
            case "redis-relay":
                self._pipeline.start_states_relay()
            case _:
                self._cluster.start(name)

    def _worker(self) -> str:
        """Return a TaskManager on which the job runs; any one while that is not known."""
        try:
            places = sorted(self._cluster.places(self._pipeline.job))
        except FlinkError:
            places = []
        return self._rng.choice(places or ["taskmanager-0", "taskmanager-1"])


def kinds(rng: random.Random) -> Iterator[str]:
    """Yield kinds at random, each of them before any comes again."""
    while True:
        yield from rng.sample(KINDS, len(KINDS))


def run(people: Everyone, rounds: int, seed: int, folder: Path) -> Found:
    """Publish the records in as many pieces as there are rounds, with a kill in each."""
    rng, killed = random.Random(seed), list[str]()
    size = -(-len(people.records) // rounds)
    with ExitStack() as stack:
        broker = stack.enter_context(KafkaBroker(flink_cluster.java()))
        cluster = stack.enter_context(FlinkCluster(managers=2, available=True))
        pipeline = Pipeline(people, cluster, broker, folder, stack)
        killer = Killer(pipeline, rng)
        for number, kind in zip(range(rounds), kinds(rng), strict=False):
            began = time.monotonic()
            pipeline.publish(people.records[number * size : (number + 1) * size])
            time.sleep(rng.uniform(0, 4))
            name = killer.kill(kind)
            time.sleep(rng.uniform(0, 6))
            killer.start(name)
            killed.append(kind)
            recovers = rng.random() < 0.7
            if recovers:
                pipeline.wait(faults=True)
            said = f"after {time.monotonic() - began:.0f} s" if recovers else "not waited for"
            print(f"{number + 1:>3} {name:<14} {said}", file=sys.stderr, flush=True)
        pipeline.finish()
        pipeline.wait(faults=True)
        found, states = flink_run.written(pipeline.broker), pipeline.states()
    wanted = flink_run.by_the_core(people, people.records, people.users)
    last = last_states(wanted, people.users)
    return Found(
        killed,
        sum(map(len, wanted.values())),
        flink_run.differing(wanted, found),
        len(last),
        {key for key in people.users if last.get(key) != states.get(key)},
    )


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
    print(f"states    {found.states:>9,}")
    print(f"differ    {len(found.states_differ):>9,} {sorted(found.states_differ)[:10]}")
    return 1 if found.differ or found.states_differ else 0


if __name__ == "__main__":
    sys.exit(main())
