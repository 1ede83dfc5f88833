"""The command line of the job on Flink."""

from __future__ import annotations

import pytest

from pipelines.flink_options import Lines, parse
from schemas import METRICS
from transforms.hosting.allowed import Source
from transforms.sinks.outgoing import KINDS, LOOPED

WORDS = ["--brokers", "one:9092", "--events", "events", "--events", "handovers=handover"]
LOG = ["--control", "/logs/control.jsonl"]


def test_options_are_parsed() -> None:
    """Each topic has the kinds that it may bring, and the properties go to Kafka's clients."""
    given = parse([*WORDS, *LOG, "--name", "job", "--property", "sasl.jaas.config=a=b"])

    assert given.sources == [Source("events"), Source("handovers", frozenset({"handover"}))]
    assert given.control == {"default": "/logs/control.jsonl"}
    assert (given.kafka.brokers, given.kafka.name) == ("one:9092", "job")
    assert given.kafka.properties == {"sasl.jaas.config": "a=b"}


def test_a_property_may_be_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of a property may be in an environment variable, so that the options have no password."""
    monkeypatch.setenv("JAAS", "password=secret")
    given = parse([*WORDS, *LOG, "--property", "sasl.jaas.config=env:JAAS"])

    assert given.kafka.properties == {"sasl.jaas.config": "password=secret"}


def test_outputs_have_topics() -> None:
    """Every kind has a topic; what the job sends to itself goes to the topics that it reads."""
    given = parse([*WORDS, *LOG, "--events", "merges=handover,alias", "--topic_prefix", "shop."])

    assert {kind: given.topics[kind] for kind in KINDS} == {kind: f"shop.{kind}" for kind in KINDS}
    assert [source.name for source in given.sources] == ["events", "handovers", "merges"]
    assert given.topics["emitted"] == "events"
    assert given.topics["handover"] == given.topics["forwarded"] == "merges"
    one = parse(["--brokers", "b:1", "--events", "shop=handover", *LOG]).topics
    assert {one[kind] for kind in LOOPED} == {"shop"}


def test_metrics_have_topics_if_they_are_counted() -> None:
    """With ``--metrics`` both kinds of metrics have a topic and an allowed lateness."""
    given = parse([*WORDS, *LOG, "--metrics", "--lateness", "60", "--topic_prefix", "shop."])

    assert given.lateness == 60
    assert {kind: given.topics[kind] for kind in METRICS} == {k: f"shop.{k}" for k in METRICS}
    assert parse([*WORDS, *LOG]).lateness is None
    assert not parse([*WORDS, *LOG]).topics.keys() & set(METRICS)


def test_files_need_no_broker() -> None:
    """Events from a folder and outputs for tables need neither brokers nor a topic of handovers."""
    given = parse(["--events", "files:/in=command", "--tables", "/out", *LOG])

    assert given.sources == [Source("files:/in", frozenset({"command"}))]
    assert given.folder == Lines("/out/.lines", 60)
    assert parse([*WORDS, *LOG]).folder is None


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([*WORDS[2:], *LOG], "--brokers is required for topics: events"),
        (["--events", "files:/in=handover", *LOG], "required for topics: those of outputs"),
        (["--events", "files:in", *LOG], '"in" must be an absolute path, such as /data/in'),
        ([*WORDS, *LOG, "--tables", "/out", "--metrics"], "towpath collect --metrics counts"),
        ([*WORDS[:4], *LOG], "no topic may bring handover"),
        ([*WORDS[:4], *LOG, "--events", "files:/in=handover"], "no topic may bring handover"),
        ([*WORDS, "--control", "shop.jsonl"], "must be an absolute path, such as /data/shop.jsonl"),
        ([*WORDS, "--control", "default=file://shop.jsonl"], "must be an absolute path"),
        ([*WORDS, "--control", "gs://logs/shop"], 'from "gs://"; supported: file://, redis://'),
        ([*WORDS, "--events", "events", *LOG], "events is given 2 times"),
        ([*WORDS, *LOG, "--control", "/logs/other.jsonl"], "default has two control logs"),
        ([*WORDS, "--control", "other=/logs/other.jsonl"], "default has no control log"),
        ([*WORDS, *LOG, "--events", "more=comand"], 'did you mean "command"?'),
        ([*WORDS, *LOG, "--events", "a b"], '"a b" must have 1 to 249 characters'),
        ([*WORDS, *LOG, "--name", "team/flows"], '"team/flows" must have'),
        ([*WORDS, *LOG, "--topic_prefix", "a b/"], '"a b/" must have'),
        ([*WORDS, *LOG, "--transaction_timeout", "2592000"], "is more than 2147483"),
        ([*WORDS, *LOG, "--property", "isolation.level=none"], "the job sets it"),
        ([*WORDS, "--control", "ftp://host/log"], 'cannot read a control log from "ftp://"'),
        ([*WORDS, *LOG, "--property", "secret"], "a property is NAME=VALUE"),
        ([*WORDS, *LOG, "--property", "a=env:NOT_SET"], '--property a: "env:NOT_SET" has no value'),
    ],
)
def test_problems_are_named(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong command line ends with status 2 and says what is wrong."""
    with pytest.raises(SystemExit) as ended:
        parse(words)

    assert ended.value.code == 2
    assert problem in capsys.readouterr().err
