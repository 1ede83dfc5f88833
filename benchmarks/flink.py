"""``python -m benchmarks.flink``: the job on Flink, as beside one that does nothing.

A real cluster with one TaskManager in thread mode, states in RocksDB, and a broker, all on this machine.
The empty job decodes the same events, reads and writes a state of 860 bytes, moves a timer with each event
and sends as many outputs of 220 bytes, exactly once. A ratio is what the empty job takes as a part of what
the job takes: by the processor time of the thread of the keyed operator, with all that follows it up to
Kafka's client, and by the clock.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from statistics import median
from typing import Any

import msgspec

from benchmarks.flink_load import fill, running_broker, running_cluster, until
from benchmarks.ratios import Figure, show
from towpath.flink import client
from towpath.flink.errors import FlinkError
from towpath.flink.local_cluster import LocalCluster
from transforms.sinks.outgoing import topics_of

USERS, EVENTS, ORDERS, ROUNDS = 8_000, 120_000, 2, 3
CASES = (5, 1)
FLOORS = {5: (60.0, 70.0)}
"""The least ratios in percent, by processor time and by the clock, where one event in so many matches."""


class Spent(msgspec.Struct, frozen=True):
    """What a job writes at its end; see ``benchmarks.flink_steps``."""

    elements: int
    cpu: float
    wall: float
    parts: dict[str, float]


class Bench:
    """Runs jobs one after the other."""

    def __init__(self, cluster: LocalCluster, broker: Any, users: int, events: int) -> None:
        self._cluster = cluster
        self._broker = broker
        self._sizes = users, events
        self._before: dict[int, int] = {}
        self._number = 0

    def run(self, kind: str, matching: int) -> Spent:
        """Run a job over the events; return what each took."""
        broker, topic = self._broker, f"events-{matching}"
        users, events = self._sizes
        if matching not in self._before:
            broker.create({topic: 1})
            self._before[matching] = fill(broker.address, topic, users, ORDERS, events, matching)
        self._number += 1
        name = f"{kind}-{self._number}"
        topics = sorted(set(topics_of(f"{name}-").values()))
        broker.create(dict.fromkeys(topics, 1))
        file = self._cluster.folder / f"{name}.json"
        job = client.run(
            self._cluster.environment, self._cluster.variables(), "-pym", "benchmarks.flink_job",
            kind, broker.address, name, topic, f"{name}-", str(file), str(self._before[matching]), str(events),
        )  # fmt: skip
        until(lambda: file.exists() or self._failed(job))
        self._cluster.rest.cancel(job)
        for future in broker.admin.delete_topics(topics).values():
            future.result()
        return msgspec.json.decode(file.read_bytes(), type=Spent)

    def _failed(self, job: str) -> bool:
        if self._cluster.rest.state(job) not in ("RUNNING", "CREATED", "INITIALIZING"):
            raise FlinkError(self._cluster.rest.error(job))
        return False


def measured(bench: Bench, matching: int, rounds: int) -> Iterator[Figure]:
    """Compare the job with the empty one, in pairs."""
    pairs = []
    for _ in range(rounds):
        pairs.append((bench.run("empty", matching), bench.run("flows", matching)))
        print(
            *(
                f"{one.cpu / one.elements * 1e6:.1f} us, {one.wall / one.elements * 1e6:.1f} us by the clock"
                for one in pairs[-1]
            ),
            sep=" -> ",
            flush=True,
        )
    name = f"empty job, one event in {matching} moves 3 sessions"
    cpu, wall = FLOORS.get(matching, (None, None))
    floor = "job on Flink"
    yield Figure(
        name=f"{name}, processor time of the keyed operator",
        floor=floor,
        value=100 * median(a.cpu / b.cpu for a, b in pairs),
        unit="%",
        least=cpu,
    )
    yield Figure(
        name=f"{name}, by the clock",
        floor=floor,
        value=100 * median(a.wall / b.wall for a, b in pairs),
        unit="%",
        least=wall,
    )
    yield from shares(bench.run("parts", matching), matching)


def shares(spent: Spent, matching: int) -> Iterator[Figure]:
    """Show where the processor time of the operator goes."""
    rest = spent.cpu - sum(spent.parts.values())
    for part, seconds in {**spent.parts, "crossing to Java, key, sink": rest}.items():
        print(part, f"{seconds / spent.elements * 1e6:.1f} us")
        yield Figure(
            name=f"{part}, one event in {matching} moves 3 sessions",
            value=100 * seconds / spent.cpu,
            unit="%",
        )


def main() -> int:
    """Measure and print; 1 if a ratio falls."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flink", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few events, without bounds")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--case", type=int, action="append", choices=CASES)
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    part = 20 if asked.quick else 1
    with running_broker() as broker, running_cluster(1) as cluster:
        bench = Bench(cluster, broker, USERS // part, EVENTS // part)
        bench.run("flows", 5)
        return show(
            f
            for m in asked.case or CASES
            for f in measured(bench, m, 1 if asked.quick else asked.rounds)
        )


if __name__ == "__main__":
    raise SystemExit(main())
