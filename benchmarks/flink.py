"""``python -m benchmarks.flink``: the job on Flink, compared with one that does nothing.

A real cluster with one TaskManager in thread mode, states in RocksDB, and a broker, all on this machine.
The empty job decodes the same events, reads and writes a state as large as the job's, moves a timer with
each event and sends as many outputs of the same size to the same topics, exactly once. A ratio is what
the empty job takes as a part of what the job takes: by the processor time of the thread of the keyed
operator, with all that follows it up to Kafka's client, and by the clock.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.flink_load import fill, running_broker, running_cluster, submit, until
from benchmarks.flink_spent import Spent
from benchmarks.ratios import Figure, keep, show
from benchmarks.written import write
from towpath.flink.errors import FlinkError
from towpath.flink.local_cluster import LocalCluster
from transforms.sinks.outgoing import topics_of

USERS, EVENTS, ORDERS, ROUNDS = 8_000, 120_000, 2, 5
STATES = {5: 975, 1: 3_040}
"""The cases, of which one event in so many moves the sessions; and the size of a user's state, on average,
that the job then has, in bytes.
"""
SECTION = "flink"
AIMS = {"processor time": 60, "time by the clock": 70}
"""What the ratios should be where one event in five matches, in percent."""


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
        words = (broker.address, name, topic, f"{name}-", str(file))
        sizes = (str(self._before[matching]), str(events), str(STATES[matching]))
        job = submit(self._cluster, kind, (*words, *sizes))
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
    """Compare the job with the empty one, in pairs; then show where the job's time goes."""
    pairs = [(bench.run("empty", matching), bench.run("flows", matching)) for _ in range(rounds)]
    case = "each event moves" if matching == 1 else f"one event in {matching} moves"
    shares = {
        "processor time": [empty.cpu / flows.cpu for empty, flows in pairs],
        "time by the clock": [empty.wall / flows.wall for empty, flows in pairs],
    }
    for cost, found in shares.items():
        aim = f" (aim: {AIMS[cost]} %)" if matching == 5 else ""
        yield Figure(
            name=f"empty job's {cost}, {case} 3 sessions",
            floor=f"the job's{aim}",
            value=100 * median(found),
            unit="%",
        )
    parts = bench.run("parts", matching)
    rest = {"crossing to Java, key and sink": parts.cpu - sum(parts.parts.values())}
    for part, seconds in (parts.parts | rest).items():
        yield Figure(
            name=f"{part}, {case} 3 sessions",
            floor="the job's processor time",
            value=100 * seconds / parts.cpu,
            unit="%",
        )
    costs = [one.cpu / one.elements * 1e6 for pair in pairs for one in pair]
    print(f"microseconds of processor time an event: empty {costs[::2]}, flows {costs[1::2]}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flink", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few events; nothing is written")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many pairs are measured")
    parser.add_argument("--write", type=Path, help="file to write the figures to")
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    part = 20 if asked.quick else 1
    rounds = 1 if asked.quick else asked.rounds
    found = list[Figure]()
    with running_broker() as broker, running_cluster(1) as cluster:
        bench = Bench(cluster, broker, USERS // part, EVENTS // part)
        bench.run("flows", 5)  # Java compiles while it runs
        code = show(keep(found, (one for case in STATES for one in measured(bench, case, rounds))))
    if asked.write and not asked.quick:
        write(asked.write, {SECTION: found})
    return code


if __name__ == "__main__":
    raise SystemExit(main())
