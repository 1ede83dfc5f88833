"""The relay from Kafka to files: an archive of topics, of which a replay decides the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Producer

from pipelines import archive
from tests.kit import flink_run
from tests.kit.core_tables import read_tables, replayed
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.relay_process import RelayProcess
from tests.kit.stream_purchases import SPACE
from tests.kit.stream_sample import Sample, chosen_users
from tests.kit.timeouts import PATIENCE
from towpath.cli.main import main
from transforms.wire.decode import decode_json

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("relay")]

NOW = 1_700_000_000_000
LINE = b'{"type":"track","event":"Seen","messageId":"%s","userId":"u","timestamp":1700000000000}'


def relay(broker: KafkaBroker, folder: Path, topic: str, *words: str) -> RelayProcess:
    return RelayProcess(
        folder, "kafka", "files", "--brokers", broker.address, "--topic", topic, "--group", topic,
        "--out", str(folder / "archive"), "--property", "session.timeout.ms=6000", *words,
    )  # fmt: skip


def log_of(folder: Path, topic: str, space: str) -> Path:
    """Make a log of an archive."""
    log = folder / "log.jsonl"
    said = ["--space", space, "--out", str(log), str(folder / "archive" / topic)]
    assert archive.run(said) == 0
    return log


def test_a_replay_of_the_archive_is_the_core(broker: KafkaBroker, tmp_path: Path) -> None:
    """The archive of a topic, written by a relay that was killed and another one, has every record: a
    replay of it decides what the core decides.
    """
    people = Sample([event for group in chosen_users(200) for event in group])
    broker.create({flink_run.EVENTS: 2})
    half = len(people.records) // 2
    flink_run.produce(broker, people.records[:half])
    with relay(broker, tmp_path, flink_run.EVENTS, "--file-rows", "50") as first:
        first.wait(lambda counts: counts["written"] > 50)
        first.kill()
    flink_run.produce(broker, people.records[half:])
    flink_run.finish(broker, people.end)
    with relay(broker, tmp_path, flink_run.EVENTS, "--file-rows", "50", "--to-end") as second:
        assert second.process.wait(PATIENCE) == 0, second.talk
    flink_run.control_words(people, tmp_path)
    log = log_of(tmp_path, flink_run.EVENTS, SPACE)
    said = ["--control", str(tmp_path / f"{SPACE}.jsonl"), "--events", str(log)]
    said += ["--until", "1998-07-01", "--out", str(tmp_path / "out")]
    assert main(["replay", *said]) == 0

    wanted = replayed(people)
    found = read_tables(tmp_path / "out")
    assert found.keys() == wanted.keys()
    assert {kind for kind in wanted if found[kind] != wanted[kind]} == set()


def test_an_archive_keeps_what_a_job_reads(broker: KafkaBroker, tmp_path: Path) -> None:
    """The archive has the body, the headers and the time of each record that was committed, and no
    heartbeats; a relay that is ended completes its files, and the next one repeats nothing.
    """
    broker.create({"kept": 1})
    writer = Producer(
        {"bootstrap.servers": broker.address, "log_level": 0, "transactional.id": "kept"}
    )
    writer.init_transactions(PATIENCE)
    for ident, kind in (("a", None), ("b", None), ("c", "heartbeat")):
        writer.begin_transaction()
        headers = {"space": "shop"} | ({"kind": kind} if kind else {})
        body = LINE % ident.encode()
        writer.produce("kept", body, "u", timestamp=NOW + 7, headers=headers)
        writer.flush(PATIENCE)
        if ident == "b":
            writer.abort_transaction(PATIENCE)
        else:
            writer.commit_transaction(PATIENCE)
    with relay(broker, tmp_path, "kept") as first:
        first.wait(lambda counts: counts["read"] >= 1)
        assert first.counts["written"] == 0
        assert first.end() == 0
        assert first.counts["written"] == 1
    with relay(broker, tmp_path, "kept", "--to-end") as second:
        assert second.process.wait(PATIENCE) == 0, second.talk
        assert second.counts["read"] == 0

    (line,) = log_of(tmp_path, "kept", "shop").read_bytes().splitlines()
    found = decode_json(line)
    assert (found.id, found.received) == ("a", NOW + 7)


def test_a_folder_that_is_away(broker: KafkaBroker, tmp_path: Path) -> None:
    """A relay waits until it can write, and commits nothing before."""
    broker.create({"away": 1})
    (tmp_path / "archive").write_text("no folder")
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0})
    producer.produce("away", LINE % b"a", "u", headers={"space": "shop"})
    assert producer.flush(PATIENCE) == 0
    with relay(broker, tmp_path, "away", "--file-wait", "0.1") as first:
        first.wait(lambda _: "cannot be written" in first.talk)
        assert first.end() == 1
    with relay(broker, tmp_path, "away", "--file-wait", "0.1") as second:
        second.wait(lambda _: "cannot be written" in second.talk)
        (tmp_path / "archive").unlink()
        second.wait(lambda counts: counts["written"] >= 1)
        assert second.end() == 0

    assert len(log_of(tmp_path, "away", "shop").read_bytes().splitlines()) == 1
