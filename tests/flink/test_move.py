"""States that a replay has exported move to the job on Flink, as the page says."""

from __future__ import annotations

import re
import textwrap
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.kit import flink_run
from tests.kit.flink_cluster import FlinkCluster
from tests.kit.flink_run import NAME, Written
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.kafka_topics import committed_of
from tests.kit.random_users import RandomUsers, fold_all
from tests.packaging.repository import ROOT
from tests.test_rebuild_state import exported
from transforms.flows.protocol import outputs
from transforms.sinks.outgoing import Outgoing, outgoing_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]

PAGE = ROOT / "docs" / "how-to" / "deploy-on-flink.md"
STATES = "states"
NUMBERED = {"flow_state", "transition"}
"""Kinds with numbers that an import does not use again."""


def test_states_of_a_replay_go_on_on_flink(
    cluster: FlinkCluster, broker: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that gets the states up to an instant, published by the code of the page, and then the
    records after it, writes what the core writes that never stopped.
    """
    people = RandomUsers(48)
    spaces = sorted(space for space in people.logs.spaces if not people.logs.of(space).slack)
    records = [record for record in people.records if record.key[0] in spaces]
    at = records[len(records) // 2].receipt + 1
    before = [record for record in records if record.receipt < at]
    after = [record for record in records if record.receipt > at]
    assert len(before) + len(after) == len(records)

    flink_run.create_topics(broker)
    broker.create({STATES: 1})
    read = ["--events", f"{STATES}=import"]
    job = flink_run.submit(cluster, broker, people, tmp_path, options=read)
    count = 0
    for space in spaces:
        states = exported(people, space, before, at, tmp_path)
        publish(states, space, at, broker, tmp_path, monkeypatch)
        count += len(states)
    assert count > len({record.key for record in before}) / 2
    flink_run.finish(broker, at, partitions=1, drain=False, topic=STATES)
    wait_for_states(cluster, broker, job, count + 1)
    flink_run.produce(broker, after)
    flink_run.finish(broker, people.end, drain=False)
    flink_run.finish(broker, people.end, partitions=1, drain=False, topic=STATES)
    flink_run.wait(cluster, broker, job)

    found = {
        place: one for place, one in flink_run.written(broker).items() if place[0] not in NUMBERED
    }
    wanted = by_the_core_since(people, records, spaces, at)
    assert flink_run.differing(wanted, found) == set()
    assert sum(map(len, wanted.values())) > 50


def publish(
    states: list[tuple[str, bytes]],
    space: str,
    at: int,
    broker: KafkaBroker,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Run the code of the page."""
    (text,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for said, mine in {
        "localhost:9092": broker.address,
        "signups": space,
        "1709251200000": str(at),
    }.items():
        assert text.count(said) == 1
        text = text.replace(said, mine)
    monkeypatch.chdir(folder)
    Path("build").mkdir(exist_ok=True)
    Path("build/states.jsonl").write_bytes(b"".join(line + b"\n" for _, line in states))
    exec(textwrap.dedent(text), {})
    monkeypatch.undo()


def wait_for_states(cluster: FlinkCluster, broker: KafkaBroker, job: str, count: int) -> None:
    """Wait until all states are in a checkpoint: an event before its user's state would be too early."""
    place = TopicPartition(STATES, 0)
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": NAME, "log_level": 0})
    while committed_of(consumer, [place])[0] < count:
        cluster.check(job)
        time.sleep(0.5)
    consumer.close()


def by_the_core_since(
    people: RandomUsers, records: list[flink_run.Published], spaces: list[str], at: int
) -> Written:
    """Return what the core writes after an instant, without the kinds that have numbers."""
    users = [key for key in people.histories if key[0] in spaces]
    found: Written = {}
    folded = fold_all(people, users, [(record.key, record.signal) for record in records])
    for (space, _), encoded in folded.items():
        for output in map(outputs.decode, encoded):
            made = outgoing_of(space, output, flink_run.topics(), "json", flink_run.MOST)
            assert isinstance(made, Outgoing)
            if output.at > at and made.topic not in NUMBERED:
                place = flink_run.place_of(made.topic, space, made.user, made.data)
                found.setdefault(place, []).append(made.data)
    return found
