"""Sends users' records through Kafka, the job on a Flink cluster and Kafka, and reads the outputs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import ge
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import (
    Consumer,
    Producer,
    TopicPartition,
)

from pipelines.flink_options import topics_of
from schemas import METRICS, wire
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.kafka_topics import committed_of, ends_of, read_topic
from tests.kit.random_users import Key, Published, UserSet, fold_all
from tests.kit.timeouts import PATIENCE
from towpath.flink.errors import FlinkError
from transforms.flows.protocol import outputs
from transforms.hosting.allowed import EVERYTHING
from transforms.hosting.receive import HEARTBEAT, KIND, SPACE
from transforms.sinks.outgoing import LOOPED, Outgoing, outgoing_of
from transforms.wire.rows import Row, canonical

JOB = Path("tests/kit/flink_job.py")
EVENTS, LOOPED_TOPIC, NAME = "events", "looped", "towpath"
ALLOWED = ",".join(sorted(EVERYTHING))
DAY = 86_400_000
MOST = 900_000

Place = tuple[str, str, str]
Written = dict[Place, list[bytes]]
"""The bodies of a topic, a space and a user, in order; of what keys send each other, by both keys."""


def topics() -> dict[str, str]:
    """Return the topic of each kind."""
    return topics_of("", []) | dict.fromkeys(LOOPED, LOOPED_TOPIC)


def create_topics(broker: KafkaBroker, partitions: int = 2) -> None:
    """Create the topics of the job."""
    broker.create({EVENTS: partitions} | dict.fromkeys([*topics().values(), *METRICS], 1))


def produce(
    broker: KafkaBroker, records: Iterable[Published], partitions: int = 2, grain: int = DAY
) -> None:
    """Publish records in order of their receipts, with a heartbeat to each partition before those of
    each ``grain``.
    """
    producer = Producer(_client(broker) | {"linger.ms": 5, "enable.idempotence": True})
    reached = 0
    for record in records:
        if record.receipt // grain > reached:
            reached = record.receipt // grain
            beat(producer, partitions, reached * grain)
        producer.produce(
            EVENTS, record.data, record.key[1], timestamp=record.receipt,
            headers={SPACE: record.key[0], "empty": None},
        )  # fmt: skip
        producer.poll(0)
    assert producer.flush(PATIENCE) == 0


def finish(
    broker: KafkaBroker, end: int, partitions: int = 2, drain: bool = True, topic: str = EVENTS
) -> None:
    """Let everything be handled that is due until an instant and, to ``drain``, what waits for its turn."""
    producer = Producer(_client(broker))
    for at in (end, end + DAY) if drain else (end,):
        beat(producer, partitions, at, topic)
    assert producer.flush(PATIENCE) == 0


def beat(producer: Producer, partitions: int, at: int, topic: str = EVENTS) -> None:
    """Send a heartbeat to each partition: what was received before ``at`` has been sent."""
    for partition in range(partitions):
        producer.produce(topic, b"", partition=partition, timestamp=at, headers={KIND: HEARTBEAT})


def submit(
    cluster: FlinkCluster,
    broker: KafkaBroker,
    people: UserSet,
    logs: Path,
    *words: str,
    released: bool = False,
    loops: bool = False,
    options: Sequence[str] = (),
) -> str:
    """Submit the job for some users; ``logs`` is a folder for the control logs of their spaces.

    ``words`` are for ``flink run``, ``options`` for the job. With ``released``, the job writes the
    states of half of the users in the layout of the first release; with ``loops``, it reads what it
    sends to itself.
    """
    return cluster.submit(
        *words, "-py", JOB.absolute(), str(people.end), *["released"] * released, "--brokers", broker.address, "--name", NAME,
        "--events", f"{EVENTS}={ALLOWED}", *["--events", f"{LOOPED_TOPIC}=handover"] * loops,
        *control_words(people, logs), *options,
    )  # fmt: skip


def control_words(people: UserSet, logs: Path) -> list[str]:
    """Write the control logs of some users' spaces; return the options that name them."""
    words = ["--space", min(people.logs.spaces)]
    for space in sorted(people.logs.spaces):
        path = logs / f"{space}.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in people.logs._logs[space]))
        words += ["--control", f"{space}={path}"]
    return words


def wait(
    cluster: FlinkCluster,
    broker: KafkaBroker,
    job: str,
    partitions: int = 2,
    faults: bool = False,
    loops: bool = False,
) -> None:
    """Wait until the job has read everything and its outputs are committed.

    Without ``faults`` a restart of the job is an error.
    """
    places = [TopicPartition(EVENTS, partition) for partition in range(partitions)]
    places += [TopicPartition(LOOPED_TOPIC, 0)] * loops
    consumer = Consumer(_client(broker) | {"group.id": NAME})
    ends = ends_of(consumer, places)
    until = time.monotonic() + PATIENCE
    done, target = 0, -1
    while target < 0 or done < target:
        assert time.monotonic() < until
        time.sleep(0.5)
        try:
            cluster.check(job, faults)
            done = completed(cluster, job)
        except FlinkError:  # another JobManager takes over
            if not faults:
                raise
            continue
        if target < 0 and all(map(ge, committed_of(consumer, places), ends)):
            # The next checkpoint has these offsets, the one after it also outputs of alarms, whose time
            # comes after the records; they are committed before a third one.
            target = done + 3
    consumer.close()


def differing(wanted: Written, found: Written) -> set[Place]:
    """Return the places whose records are not the same."""
    return {
        place for place in wanted.keys() | found.keys() if wanted.get(place) != found.get(place)
    }


def _client(broker: KafkaBroker) -> dict[str, Any]:
    # Clients that are not collected yet would log that the broker has ended.
    return {"bootstrap.servers": broker.address, "log_level": 0}


def completed(cluster: FlinkCluster, job: str) -> int:
    """Return how many checkpoints of a job are complete."""
    return int(cluster.get(f"/jobs/{job}/checkpoints")["counts"]["completed"])


def written(broker: KafkaBroker) -> Written:
    """Read all committed outputs."""
    found: Written = defaultdict(list)
    for topic in sorted(set(topics().values())):
        for headers, name, body in committed(broker, topic):
            found[place_of(topic, headers["space"], name, body)].append(body)
    return dict(found)


def place_of(topic: str, space: str, name: str, body: bytes) -> Place:
    """Return what a record is in order with; two keys that send to a third one have no order."""
    if topic != LOOPED_TOPIC:
        return topic, space, name
    return topic, space, f"{msgspec.json.decode(body).get('source', '')} to {name}"


def committed(broker: KafkaBroker, topic: str) -> Iterator[tuple[dict[str, str], str, bytes]]:
    """Read a topic from beginning to end without heartbeats: headers, key and body of each record."""
    for record in read_topic(broker, topic):
        if record.body:
            yield record.headers, (record.key or b"").decode(), record.body


def newest_numbers(broker: KafkaBroker) -> dict[tuple[str, str], list[Row]]:
    """Read the committed metrics by space and kind: of each number the one that counts the most rows."""
    found: dict[str, tuple[int, tuple[str, str], Row]] = {}
    for kind in METRICS:
        for headers, key, body in committed(broker, kind):
            counted = int(headers["counted"])
            if counted > found.get(key, (0,))[0]:
                assert headers["kind"] == kind
                found[key] = (counted, (headers["space"], kind), wire.decode(body, headers)[1])
    numbers: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for _, place, row in found.values():
        if row["value"]:
            numbers[place].append(row)
    return {place: sorted(rows, key=canonical) for place, rows in numbers.items()}


def by_the_core(people: UserSet, records: Iterable[Published], users: Iterable[Key]) -> Written:
    """Return what the core writes for these users, by topic."""
    found: Written = defaultdict(list)
    folded = fold_all(people, users, [(record.key, record.signal) for record in records])
    for (space, _), encoded in folded.items():
        for one in encoded:
            made = outgoing_of(space, outputs.decode(one), topics(), "json", MOST)
            assert isinstance(made, Outgoing), made
            found[place_of(made.topic, space, made.user, made.data)].append(made.data)
    return dict(found)
