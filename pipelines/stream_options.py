"""The options of the streaming job on Beam's command line."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.option_words import (
    HANDOVER,
    HANDOVERS,
    at_least,
    check_kinds,
    check_scheme,
    control_of,
    control_word,
    idle,
    redis_address,
    sources_of,
    subscription,
)
from schemas.wire import Encoding
from transforms.beam.window_counts import PACE
from transforms.hosting.allowed import KINDS, Source
from transforms.sinks import outgoing
from transforms.sinks.remote import Remote, place_of
from transforms.sources.pubsub.beam_source import is_dataflow
from transforms.sources.pubsub.leases import Settings as Subscription

STORES = ("gs", "gcs", "s3", "abfs", "abfss", "hdfs", "viewfs")
"""Schemes of the stores that Arrow can write to."""

UNSAFE = "--unsafe_runner"
IN_MEMORY = (
    "DirectRunner",
    "SwitchingDirectRunner",
    "BundleBasedDirectRunner",
    "FnApiRunner",
    "PrismRunner",
)
"""Runners that keep states in memory, and have messages acknowledged before the states have changed."""

ALIKE = 0.8
"""The similarity from which an unknown option counts as misspelled; Beam's options are less similar."""


class Sinks(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The destinations of outputs; None, or a kind without a topic, means not written.

    ``tables`` is a folder that every worker can reach. A file has at most ``file_rows`` rows, and a
    row waits at most ``file_wait`` seconds for its file; None: until there are enough rows, or the
    input ends. ``pace`` is the seconds between updates of metrics; None: at once.
    ``timestamp_attribute`` is given to what the job sends to itself. With ``stable`` the runner
    stores outputs before topics and Redis get them. ``epoch`` numbers the states of the job, for
    Redis.
    """

    topics: dict[str, str] = {}
    encoding: Encoding = "json"
    redis: str | None = None
    tables: str | None = None
    file_rows: int = 50_000
    file_wait: int | None = 600
    pace: int | None = PACE
    timestamp_attribute: str | None = None
    stable: bool = False
    epoch: int = 0


def topics_of(project: str, prefix: str = "") -> dict[str, str]:
    """Return the topic of each kind: ``projects/<project>/topics/<prefix><kind>``."""
    return outgoing.topics_of(f"projects/{project}/topics/{prefix}")


class StreamOptions(PipelineOptions):
    """The options of the streaming job."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        add = parser.add_argument
        add("--subscription", type=subscription_word, action="append", default=[],
            metavar="SUBSCRIPTION[=KIND,KIND]",
            help="subscription of the events topic: projects/P/subscriptions/S, then those of other "
            f"topics; with the kinds that each may bring besides the usual ones: {', '.join(KINDS)}")  # fmt: skip
        add("--timestamp_attribute",
            help="attribute with the ingestion time, in the first subscription "
            "(default: the publish time)")  # fmt: skip
        add("--readers", type=at_least(1), default=1, metavar="NUMBER",
            help="number of readers of the first subscription (not on Dataflow)")  # fmt: skip
        add("--idle", type=idle, default=10_000, metavar="SECONDS|never",
            help="how long the events topic must be empty before the watermark advances without data; "
            "never: only records and heartbeats advance it (not on Dataflow; default: 10)")  # fmt: skip
        add("--control", type=control_word, action="append", default=[],
            metavar="[SPACE=]ADDRESS",
            help="control log of a space: a file, gs://, s3://, redis://, or env:NAME to read the "
            "address from that environment variable of the workers; once per space")  # fmt: skip
        add("--space", default="default", help="space of messages without a space attribute")
        add("--loose", action="store_true", help="continue when the control log is behind")
        add("--topics", metavar="PROJECT", help="publish outputs to the topics of this project")
        add("--topic_prefix", default="", help="prefix of the topic names")
        add("--encoding", choices=("json", "avro"), default="json",
            help="encoding of outputs on topics: json or avro; subscriptions that write them to "
            "BigQuery need avro")  # fmt: skip
        add("--states", type=redis_address, metavar="URL",
            help="Redis for flow states: redis://, rediss://, unix://, or env:NAME to read the "
            "address from that environment variable of the workers (for passwords)")  # fmt: skip
        add("--epoch", type=at_least(0), default=0, metavar="N",
            help="number of the job's states in Redis: give a job that starts without the states of "
            "the one before it the next number, so that its flow states replace the old ones (default: 0)")  # fmt: skip
        add("--tables", type=tables_address, metavar="DIR|URL",
            help="write Parquet tables to a folder that every worker can reach, or gs://, s3://, abfs://")  # fmt: skip
        add("--stable_input", choices=("auto", "on", "off"), default="auto",
            help="publish outputs, and write them to Redis, only after the runner has stored them and "
            "the state; auto: on Dataflow, where it has an effect")  # fmt: skip
        add(UNSAFE, action="store_true",
            help="accept a runner that loses states and messages when it fails, to try the job")  # fmt: skip
        add("--file_rows", type=at_least(1), default=50_000, metavar="N",
            help="rows in a Parquet file at most; a worker holds them in memory")  # fmt: skip
        add("--file_wait", type=at_least(1), default=600, metavar="SECONDS",
            help="how long a row waits at most for its Parquet file")  # fmt: skip
        add("--lateness", type=at_least(0), default=7 * 86_400, metavar="SECONDS",
            help="allowed lateness of metrics")  # fmt: skip


def stream_options(words: Sequence[str] | None = None) -> PipelineOptions:
    """Make Beam's options for streaming from a command line."""
    options = PipelineOptions(None if words is None else list(words))
    standard = options.view_as(StandardOptions)
    standard.streaming = True
    return options


def subscription_word(word: str) -> str:
    """Parse one ``--subscription``. Raises ArgumentTypeError for a wrong name or an unknown kind."""
    name, equals, said = word.partition("=")
    subscription(name)
    if equals:
        check_kinds(said)
    return word


def tables_address(word: str) -> str:
    """Parse the address of the tables. Raises ArgumentTypeError if Arrow does not support it."""
    if not word:
        raise argparse.ArgumentTypeError("the address is empty")
    try:
        remote = isinstance(place_of(word), Remote)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if remote or word.partition(":/")[0] in STORES:
        check_scheme(word, STORES, "write tables to")
        if "://" not in word:
            raise argparse.ArgumentTypeError(
                f'"{word}" has only one slash: it would be a local folder'
            )
    return word


class Topic(msgspec.Struct, frozen=True, gc=False):
    """A subscription that the job reads, and what it may bring."""

    settings: Subscription
    source: Source


def topics_read(options: Any) -> list[Topic]:
    """Return the subscriptions to read; only the first, the events topic, has the options of a
    gateway.
    """
    first, *others = sources_of(options.subscription)
    settings = Subscription(
        subscription=first.name,
        timestamp_attribute=options.timestamp_attribute,
        readers=options.readers,
        idle_ms=options.idle,
    )
    more = [Topic(Subscription(subscription=source.name), source) for source in others]
    return [Topic(settings, first), *more]


def sinks_of(options: Any) -> Sinks:
    """Return the destinations of outputs."""
    topics = topics_of(options.topics, options.topic_prefix) if options.topics else {}
    if topics and _has_own_topic(options.subscription):
        path = f"projects/{options.topics}/topics/{options.topic_prefix}{HANDOVERS}"
        topics |= {HANDOVER: path, "forwarded": path}
    return Sinks(
        topics=topics,
        encoding=options.encoding,
        redis=options.states,
        tables=options.tables,
        file_rows=options.file_rows,
        file_wait=options.file_wait,
        timestamp_attribute=options.timestamp_attribute,
        stable=_stable(options),
        epoch=options.epoch,
    )


def _stable(options: Any) -> bool:
    if options.stable_input == "auto":
        return is_dataflow(options)
    return bool(options.stable_input == "on")


def _has_own_topic(given: Sequence[str]) -> bool:
    """Return True if what the job sends to itself has a topic of its own, with its subscription."""
    return any(HANDOVER in source.allow for source in sources_of(given)[1:])


class _Words:
    """Parses the options as plain texts, so that all of them are checked, not only up to an error.

    It accepts ``add_argument`` like a parser; an option that is not given is None.
    """

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(
            "python -m pipelines.stream",
            allow_abbrev=False,
            exit_on_error=False,
            epilog="Other options are passed to Beam and its runner; --runner is required.",
        )
        self.types: dict[str, Callable[[str], object]] = {}

    def add_argument(self, name: str, **more: Any) -> None:
        """Add an option without its default, and keep its type for later."""
        more.pop("default", None)
        read = more.pop("type", str)
        if choices := more.pop("choices", ()):
            more["metavar"], read = "|".join(choices), _one_of(choices)
        self.types[name.removeprefix("--")] = read
        self.parser.add_argument(name, **more)


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def read(word: str) -> str:
        if word not in choices:
            raise argparse.ArgumentTypeError(f'"{word}" is not one of {", ".join(choices)}')
        return word

    return read


def problems_of(words: Sequence[str]) -> list[str]:
    """List all problems of a command line, one per line; ``--help`` exits the process."""
    reader = _Words()
    StreamOptions._add_argparse_args(reader)  # noqa: SLF001 - Beam's hook
    try:
        given, unknown = reader.parser.parse_known_args(list(words))
    except argparse.ArgumentError as error:
        return [str(error)]
    runner = PipelineOptions(list(words)).view_as(StandardOptions).runner
    return [
        *_misspelled(unknown, [f"--{name}" for name in reader.types]),
        *_missing(given, runner),
        *_invalid(given, reader.types),
        *_without_log(given),
        *_wrong_sources(given),
    ]


def _misspelled(unknown: Sequence[str], ours: Sequence[str]) -> Iterator[str]:
    """Find misspelled options of ours; other unknown options may be a runner's."""
    for word in unknown:
        name = word.partition("=")[0]
        if name.startswith("-"):
            for close in get_close_matches(f"--{name.lstrip('-')}", ours, 1, ALIKE):
                yield f"{name} is not an option; did you mean {close}?"


def _missing(given: Any, runner: str | None) -> Iterator[str]:
    if not given.subscription:
        yield "--subscription is required: projects/P/subscriptions/S"
    if not given.control:
        yield "--control is required: the address of the control log"
    if runner is None:
        yield f"--runner is required: DataflowRunner, or PrismRunner with {UNSAFE} on one machine"
    elif runner.rpartition(".")[2] in IN_MEMORY and not given.unsafe_runner:
        yield (
            f"--runner: {runner} keeps users' states in memory, and messages are acknowledged before "
            f"the states have changed, so a failure loses both; use DataflowRunner, or add {UNSAFE} "
            "to try the job"
        )
    if not (given.topics or given.states or given.tables):
        yield "one of --topics, --states and --tables is required"


def _invalid(given: Any, types: dict[str, Callable[[str], object]]) -> Iterator[str]:
    for name, read in types.items():
        value = getattr(given, name)
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str):
                try:
                    read(word)
                except argparse.ArgumentTypeError as error:
                    yield f"--{name}: {error}"


def _wrong_sources(given: Any) -> Iterator[str]:
    """Check the subscriptions together: each once, and one for what the job sends to itself."""
    sources = sources_of(given.subscription or ())
    for name, count in Counter(source.name for source in sources).items():
        if count > 1:
            yield f"--subscription: {name} is given {count} times"
    if sources and given.topics and not any(HANDOVER in source.allow for source in sources):
        yield (
            f"--subscription: no subscription may bring {HANDOVER}, by which the job merges users; "
            f"add the one of the topic {given.topic_prefix or ''}{HANDOVERS}, to which only the job "
            f"publishes: --subscription projects/P/subscriptions/{HANDOVERS}={HANDOVER}"
        )


def _without_log(given: Any) -> Iterator[str]:
    """Check the control logs together."""
    try:
        logs = control_of(given.control or (), given.space or "default")
    except argparse.ArgumentTypeError as error:
        yield f"--control: {error}"
        return
    if logs and given.space is not None and given.space not in logs:
        yield f"--space: {given.space} has no control log; there are logs for {', '.join(logs)}"
