"""The relay from Kafka to tables: every row is there once, whatever ends when."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from tests.kit.core_tables import read_tables, replayed
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.random_users import fold_all
from tests.kit.relay_process import RelayProcess
from tests.kit.stream_purchases import SPACE
from tests.kit.stream_sample import Sample, chosen_users
from tests.kit.timeouts import PATIENCE
from transforms.flows.protocol import outputs
from transforms.wire.messages import TopicMessage, to_message
from transforms.wire.rows import name_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("relay")]

KINDS = ("transition", "message", "flow_state")


def relay(broker: KafkaBroker, folder: Path, *words: str) -> RelayProcess:
    topics = [word for kind in KINDS for word in ("--topic", kind)]
    return RelayProcess(
        folder, "kafka", "tables", "--brokers", broker.address, *topics, "--out", str(folder / "out"),
        "--property", "session.timeout.ms=6000", "--window", "86400000", *words,
    )  # fmt: skip


def deep(message: TopicMessage) -> TopicMessage:
    """Give a flow state more levels of JSON than a decoder takes."""
    row = msgspec.json.decode(message.data) | {"flows": "[" * 5_000 + "]" * 5_000}
    return msgspec.structs.replace(message, data=msgspec.json.encode(row))


def test_rows_are_in_tables_once(broker: KafkaBroker, tmp_path: Path) -> None:
    """The rows of the core's outputs are in their tables once, although the relay was killed and some
    records are on the topics twice; what is no row of a table is counted and left out.
    """
    people = Sample([event for group in chosen_users(100) for event in group])
    broker.create(dict.fromkeys(KINDS, 2))
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0, "linger.ms": 5})
    sent: dict[str, list[outputs.AnyOutput]] = defaultdict(list)
    arrived = [(record.key, record.signal) for record in people.records]
    for encoded in fold_all(people, people.users, arrived).values():
        for output in map(outputs.decode, encoded):
            sent[name_of(output)].append(output)

    def send(kind: str, given: list[outputs.AnyOutput]) -> None:
        for output in given:
            message = to_message(SPACE, output)
            producer.produce(
                kind, message.data, message.ordering_key, headers={**message.attributes}
            )
        assert producer.flush(PATIENCE) == 0

    for kind in KINDS:
        send(kind, sent[kind][:100])
    with relay(broker, tmp_path, "--file-rows", "20") as first:
        first.wait(lambda counts: counts["written"] > 20)
        first.kill()
    for kind in KINDS:
        send(kind, sent[kind][90:])
    producer.produce("transition", b"no JSON", headers={"schema": "transition:1"})
    late = msgspec.structs.replace(sent["transition"][0], at=1_700_000_000_000_000)
    refused = {"transition": to_message(SPACE, late)}
    refused["flow_state"] = deep(to_message(SPACE, sent["flow_state"][0]))
    for kind, message in refused.items():
        producer.produce(kind, message.data, headers={**message.attributes})
    assert producer.flush(PATIENCE) == 0
    with relay(broker, tmp_path, "--to-end") as second:
        assert second.process.wait(PATIENCE) == 1, second.talk

    wanted = {kind: rows for kind, rows in replayed(people).items() if kind in KINDS}
    assert second.counts["invalid"] == 3
    assert "its time is outside of 1970 to 2200" in second.talk
    assert "no row at transition" in second.talk
    assert read_tables(tmp_path / "out" / SPACE) == wanted
