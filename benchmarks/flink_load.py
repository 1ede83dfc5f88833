"""A Flink cluster with the compiled core, a broker, and the events of ``benchmarks.flink``."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from benchmarks.core import HOUR, START, line
from towpath.flink import client
from towpath.flink.environment import BUILT, Environment
from towpath.flink.local_cluster import JOB_MANAGER, ZOOKEEPER, LocalCluster

ROOT = Path(__file__).parent.parent
COMPILED = ROOT / "build" / "compiled"
PAUSE = 0.2
DAY = 24 * HOUR


class Compiled(Environment, frozen=True, gc=False):
    """The environment of Flink with the compiled core and the benchmarks before its own packages."""

    def variables(self, conf: Path, logs: Path) -> Mapping[str, str]:
        path = os.pathsep.join(map(str, (COMPILED, ROOT, self.packages)))
        return {**Environment.variables(self, conf, logs), "PYTHONPATH": path}


@contextmanager
def running_cluster(
    managers: int, settings: Mapping[str, Any] | None = None, *, available: bool = False
) -> Iterator[LocalCluster]:
    """Start a cluster in a folder of its own; end and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="towpath-bench-"))
    cluster = LocalCluster(folder, Compiled(ROOT / BUILT))
    cluster.configure(given=settings, available=available)
    try:
        for name in [*[ZOOKEEPER] * available, JOB_MANAGER]:
            cluster.start(name)
        for number in range(managers):
            cluster.start(f"taskmanager-{number}")
        cluster.wait()
        yield cluster
    finally:
        cluster.end_all(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def running_broker() -> Any:
    """Start a broker of Kafka, as a context manager."""
    kit = import_module("tests.kit.kafka_broker")  # the tests are not typed
    return kit.KafkaBroker(Environment(ROOT / BUILT).java)


def until(done: Callable[[], bool]) -> float:
    """Wait; return how many seconds it took."""
    begun = time.monotonic()
    while not done():
        time.sleep(PAUSE)
    return time.monotonic() - begun


def submit(cluster: LocalCluster, kind: str, words: Sequence[str], *flink: str) -> str:
    """Submit a job of ``benchmarks.flink_job``; return its id. ``flink`` are words for ``flink run``."""
    variables = cluster.variables()
    job = ("-pym", "benchmarks.flink_job", kind, *words)
    return client.run(cluster.environment, variables, *flink, *job)


def fill(address: str, topic: str, users: int, orders: int, events: int, matching: int) -> int:
    """Send sign-ups and some orders of each user, then events of which one in ``matching`` moves the
    three sessions of its user; return how many came before these.
    """
    producer = Producer(
        {"bootstrap.servers": address, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
    )
    before = users * (1 + orders)
    for number in range(before + events):
        name = "Signup" if number < users else "Order"
        moves = number >= before and (number + number // users) % matching == 0
        user = f"user-{number % users:06}"
        body = line(number, 60 if moves else 10, name, user)
        producer.produce(topic, body, user, timestamp=START + 3 * DAY + number)
        producer.poll(0)
    producer.flush()
    return before
