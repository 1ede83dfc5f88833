"""The options of the job on Flink; those of Flink itself belong to ``flink run``."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from pipelines.option_words import (
    HANDOVER,
    HANDOVERS,
    at_least,
    check_kinds,
    control_of,
    control_word,
    kafka_property,
    kafka_topic,
    sources_of,
)
from schemas.wire import Encoding
from transforms.hosting.allowed import KINDS, Source
from transforms.sinks import outgoing


class Kafka(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The brokers, and how the job uses them.

    ``name`` is the group of its consumers and the prefix of its transactions, which no other job
    may have. ``transaction_ms`` is how long a transaction may stay open.
    """

    brokers: str
    name: str = "towpath"
    transaction_ms: int = 900_000
    properties: dict[str, str] = {}


class FlinkOptions(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The parsed options of the job."""

    kafka: Kafka
    sources: list[Source]
    control: dict[str, str]
    topics: dict[str, str]
    space: str = "default"
    encoding: Encoding = "json"
    loose: bool = False


def topics_of(prefix: str, sources: Sequence[Source]) -> dict[str, str]:
    """Return the topic of each kind, with a prefix.

    What the job sends to itself has a topic of its own if one of the others read is such a topic.
    """
    topics = outgoing.topics_of(prefix)
    if any(HANDOVER in source.allow for source in sources[1:]):
        topics |= dict.fromkeys((HANDOVER, "forwarded"), prefix + HANDOVERS)
    return topics


def parse(words: Sequence[str]) -> FlinkOptions:
    """Parse the command line; a wrong one ends the process with status 2."""
    parser = _parser()
    given = parser.parse_args(list(words))
    problems = list(_problems(given))
    if problems:
        parser.exit(2, "\n".join(problems) + "\n")
    sources = sources_of(given.events)
    return FlinkOptions(
        kafka=Kafka(
            brokers=given.brokers,
            name=given.name,
            transaction_ms=given.transaction_timeout * 1000,
            properties=dict(given.property),
        ),
        sources=sources,
        control=control_of(given.control, given.space),
        topics=topics_of(given.topic_prefix, sources),
        space=given.space,
        encoding=given.encoding,
        loose=given.loose,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "flink run -pym pipelines.flink", allow_abbrev=False, description="Runs flows on Flink."
    )
    add = parser.add_argument
    add("--brokers", required=True, metavar="HOST:PORT,…", help="brokers of Kafka")
    add("--events", type=_topic_word, action="append", required=True,
        metavar="TOPIC[=KIND,KIND]",
        help="the events topic, then other topics to read; with the kinds that each may bring besides "
        f"the usual ones: {', '.join(KINDS)}")  # fmt: skip
    add("--control", type=control_word, action="append", required=True,
        metavar="[SPACE=]ADDRESS",
        help="control log of a space: a file, gs://, s3://, redis://, or env:NAME to read the "
        "address from that environment variable of the workers; once per space")  # fmt: skip
    add("--space", default="default", help="space of records without a space header")
    add("--loose", action="store_true", help="continue when the control log is behind")
    add("--topic_prefix", default="", help="prefix of the topics of the outputs")
    add("--encoding", choices=("json", "avro"), default="json", help="encoding of outputs")
    add("--name", default="towpath",
        help="name of the job, its consumer group and its transactions; no other job may have it "
        "(default: towpath)")  # fmt: skip
    add("--transaction_timeout", type=at_least(1), default=900, metavar="SECONDS",
        help="how long the broker keeps outputs of a job that is down; what is older is lost, so this "
        "must be longer than any outage. The broker has its own limit, transaction.max.timeout.ms "
        "(default: 900)")  # fmt: skip
    add("--property", type=kafka_property, action="append", default=[], metavar="NAME=VALUE",
        help="property of the Kafka clients, such as security.protocol=SASL_SSL")  # fmt: skip
    return parser


def _topic_word(word: str) -> str:
    name, equals, said = word.partition("=")
    kafka_topic(name)
    if equals:
        check_kinds(said)
    return word


def _problems(given: argparse.Namespace) -> Iterator[str]:
    """Check the options together."""
    sources = sources_of(given.events)
    for name, count in Counter(source.name for source in sources).items():
        if count > 1:
            yield f"--events: {name} is given {count} times"
    if not any(HANDOVER in source.allow for source in sources):
        yield (
            f"--events: no topic may bring {HANDOVER}, by which the job merges users; add the topic "
            f"to which only the job publishes: --events {given.topic_prefix}{HANDOVERS}={HANDOVER}"
        )
    try:
        logs = control_of(given.control, given.space)
    except argparse.ArgumentTypeError as error:
        yield f"--control: {error}"
        return
    if given.space not in logs:
        yield f"--space: {given.space} has no control log; there are logs for {', '.join(logs)}"
