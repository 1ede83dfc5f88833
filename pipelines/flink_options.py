"""The options of the job on Flink; those of Flink itself belong to ``flink run``."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from pipelines.option_words import (
    HANDOVER,
    HANDOVERS,
    REDIS,
    at_least,
    check_kinds,
    control_of,
    control_word,
    kafka_property,
    kafka_topic,
    named,
    sources_of,
)
from schemas import METRICS
from schemas.wire import Encoding
from transforms.hosting.allowed import KINDS, Source
from transforms.sinks import outgoing
from transforms.wire.output_lines import FOLDER
from transforms.wire.secrets import address_of

FIXED = frozenset({
    "bootstrap.servers", "group.id", "isolation.level", "transaction.timeout.ms", "transactional.id",
    "enable.auto.commit", "enable.idempotence",
})  # fmt: skip
"""Properties of Kafka's clients on which exactly-once outputs depend, or that other options set."""
LONGEST = 2_147_483
"""The longest time-out of a transaction that Kafka can express, in seconds."""
LOG_SCHEMES = ("", "file", *REDIS)
"""Where a control log may be: the clients of object stores are not in the environment of Flink."""
FILES = "files:"
"""How the name of a folder of events begins, among names of topics."""


class Kafka(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The brokers, and how the job uses them.

    ``name`` is the group of its consumers and the prefix of its transactions, which no other job
    may have. ``transaction_ms`` is how long a transaction may stay open.
    """

    brokers: str
    name: str = "towpath"
    transaction_ms: int = 900_000
    properties: dict[str, str] = {}


class Lines(msgspec.Struct, frozen=True, gc=False):
    """The folder of the files of lines, and after how many seconds a file is finished."""

    path: str
    wait: int = 60


class FlinkOptions(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The parsed options of the job; ``lateness`` is that of metrics, None without them."""

    kafka: Kafka
    sources: list[Source]
    control: dict[str, str]
    topics: dict[str, str]
    space: str = "default"
    encoding: Encoding = "json"
    loose: bool = False
    lateness: int | None = None
    folder: Lines | None = None


def topics_of(prefix: str, sources: Sequence[Source], metrics: bool = False) -> dict[str, str]:
    """Return the topic of each kind, with a prefix; those of metrics only with ``metrics``.

    What the job sends to itself goes to topics that it reads: emitted events to the first one, the rest
    to the last one that may bring handovers.
    """
    topics = outgoing.topics_of(prefix)
    if metrics:
        topics |= {kind: prefix + kind for kind in METRICS}
    read = on_kafka(sources)
    if read:
        topics |= dict.fromkeys(outgoing.LOOPED, read[0].name)
    for source in read:
        if HANDOVER in source.allow:
            topics |= dict.fromkeys((HANDOVER, "forwarded"), source.name)
    return topics


def on_kafka(sources: Sequence[Source]) -> list[Source]:
    """Return the sources that are topics."""
    return [source for source in sources if not source.name.startswith(FILES)]


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
            properties={name: address_of(value) for name, value in given.property},
        ),
        sources=sources,
        control=control_of(given.control, given.space),
        topics=topics_of(given.topic_prefix, sources, given.metrics),
        space=given.space,
        encoding=given.encoding,
        loose=given.loose,
        lateness=given.lateness if given.metrics else None,
        folder=Lines(f"{given.tables}/{FOLDER}", given.file_wait) if given.tables else None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "flink run -pym pipelines.flink", allow_abbrev=False, description="Runs flows on Flink."
    )
    add = parser.add_argument
    add("--brokers", default="", metavar="HOST:PORT,…",
        help="brokers of Kafka; required unless events and outputs are files")  # fmt: skip
    add("--events", type=_topic_word, action="append", required=True,
        metavar="TOPIC|files:DIR[=KIND,KIND]",
        help="the events topic, or a folder to which files of JSON lines are added, then others to "
        "read; with the kinds that each may bring besides "
        f"the usual ones: {', '.join(KINDS)}")  # fmt: skip
    add("--control", type=_control_word, action="append", required=True,
        metavar="[SPACE=]ADDRESS",
        help="control log of a space: the absolute path of a file, redis://, or env:NAME to read the "
        "address from that environment variable of the workers; once per space")  # fmt: skip
    add("--space", default="default", help="space of records without a space header")
    add("--loose", action="store_true", help="continue when the control log is behind")
    add("--tables", type=_folder, metavar="DIR",
        help="write outputs to files in this folder instead of topics; towpath collect turns them into "
        "tables. What the job sends to itself is not written, so it joins no users")  # fmt: skip
    add("--file_wait", type=at_least(1), default=60, metavar="SECONDS",
        help="the longest wait of a row for its file (default: 60)")  # fmt: skip
    add("--topic_prefix", type=_prefix, default="", help="prefix of the topics of the outputs")
    add("--encoding", choices=("json", "avro"), default="json", help="encoding of outputs")
    add("--metrics", action="store_true",
        help="count metrics of flows and steps in windows, for the topics flow_metric and step_metric")  # fmt: skip
    add("--lateness", type=at_least(0), default=7 * 86_400, metavar="SECONDS",
        help="allowed lateness of metrics (default: 604800, a week)")  # fmt: skip
    add("--name", type=kafka_topic, default="towpath",
        help="name of the job, its consumer group and its transactions; no other job may have it "
        "(default: towpath)")  # fmt: skip
    add("--transaction_timeout", type=at_least(1, LONGEST), default=900, metavar="SECONDS",
        help="how long the broker keeps outputs of a job that is down; what is older is lost, so this "
        "must be longer than any outage. The broker has its own limit, transaction.max.timeout.ms "
        "(default: 900)")  # fmt: skip
    add("--property", type=kafka_property, action="append", default=[], metavar="NAME=VALUE",
        help="property of the Kafka clients, such as security.protocol=SASL_SSL; a value may be env:NAME, "
        "which is read from that environment variable when the job is submitted")  # fmt: skip
    return parser


def _folder(word: str) -> str:
    if not Path(word).is_absolute():  # workers run in folders of their own
        raise argparse.ArgumentTypeError(f'"{word}" must be an absolute path, such as /data/{word}')
    return word


def _control_word(word: str) -> str:
    control_word(word, LOG_SCHEMES)
    _, address = named(word)
    if urlsplit(address).scheme in ("", "file"):
        _folder(address.removeprefix("file://"))
    return word


def _prefix(word: str) -> str:
    return word and kafka_topic(word)


def _topic_word(word: str) -> str:
    name, equals, said = word.partition("=")
    if name.startswith(FILES):
        _folder(name.removeprefix(FILES))
    else:
        kafka_topic(name)
    if equals:
        check_kinds(said)
    return word


def _problems(given: argparse.Namespace) -> Iterator[str]:
    """Check the options together."""
    for name, value in given.property:
        if name in FIXED:
            yield f"--property {name}: the job sets it, so it cannot be changed"
        try:
            address_of(value)
        except ValueError as error:
            yield f"--property {name}: {error}"
    sources = sources_of(given.events)
    for name, count in Counter(source.name for source in sources).items():
        if count > 1:
            yield f"--events: {name} is given {count} times"
    read = on_kafka(sources)
    if not given.brokers and (read or not given.tables):
        yield f"--brokers is required for topics: {read[0].name if read else 'those of outputs'}"
    if given.tables and given.metrics:
        yield "--metrics: with --tables, towpath collect --metrics counts them"
    if not given.tables and not any(HANDOVER in source.allow for source in read):
        yield (
            f"--events: no topic may bring {HANDOVER}, by which the job merges users; add the topic "
            f"to which only the job publishes: --events {HANDOVERS}={HANDOVER}"
        )
    try:
        logs = control_of(given.control, given.space)
    except argparse.ArgumentTypeError as error:
        yield f"--control: {error}"
        return
    if given.space not in logs:
        yield f"--space: {given.space} has no control log; there are logs for {', '.join(logs)}"
