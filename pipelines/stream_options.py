"""What a streaming job is asked to do, and how Beam's command line says it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

import msgspec
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from schemas.wire import Encoding
from transforms.beam.window_counts import PACE
from transforms.flows.catalog.epochs import NEVER
from transforms.sinks import pubsub
from transforms.sinks.remote import Remote, place_of
from transforms.sources.control_log.log import LOGS
from transforms.sources.pubsub.leases import Settings as Subscription
from transforms.wire.secrets import PREFIX

REDIS = ("redis", "rediss", "unix")
STORES = ("gs", "gcs", "s3", "abfs", "abfss", "hdfs", "viewfs")
"""Schemes of the stores that Arrow writes to."""

ALIKE = 0.8
"""From here on an unknown option is taken for one of ours; Beam's own are all less like ours."""


class Sinks(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Where outputs go; what is None or has no topic goes nowhere.

    ``tables`` is a folder that every worker can reach, ``window`` the seconds of a file,
    ``pace`` those between updates of numbers and of files for late rows; None: at once.
    """

    topics: dict[str, str] = {}
    encoding: Encoding = "json"
    redis: str | None = None
    tables: str | None = None
    window: int = 600
    pace: int | None = PACE


def topics_of(project: str, prefix: str = "") -> dict[str, str]:
    """Name the topic of each kind: ``projects/<project>/topics/<prefix><kind>``."""
    return pubsub.topics_of(f"projects/{project}/topics/{prefix}")


class StreamOptions(PipelineOptions):
    """The options of the streaming job."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        add = parser.add_argument
        add("--subscription", type=subscription_name,
            help="projects/P/subscriptions/S: the events topic's")  # fmt: skip
        add("--timestamp_attribute", help="the attribute with the receipt; else publish time")
        add("--readers", type=at_least(1), default=1, metavar="NUMBER",
            help="readers of the subscription, not on Dataflow")  # fmt: skip
        add("--idle", type=idle, default=10_000, metavar="SECONDS|never",
            help="for how long the broker must have nothing before time goes on without data; "
            "never: only records and heartbeats move it; not on Dataflow (default: 10)")  # fmt: skip
        add("--control", type=control_word, action="append", default=[],
            metavar="[SPACE=]ADDRESS",
            help="a space's control log: a file, gs://, s3://, redis://, or env:NAME for the "
            "address in that environment variable of the workers; once for each space")  # fmt: skip
        add("--space", default="default", help="the space of messages that name none")
        add("--loose", action="store_true", help="go on when the control log is behind")
        add("--topics", metavar="PROJECT", help="publish outputs to topics of this project")
        add("--topic_prefix", default="", help="what the names of those topics begin with")
        add("--encoding", choices=("json", "avro"), default="json")
        add("--states", type=redis_address, metavar="URL",
            help="Redis for flow states: redis://, rediss://, unix://, or env:NAME for the "
            "address in that environment variable of the workers, as one with a password")  # fmt: skip
        add("--tables", type=tables_address, metavar="DIR|URL",
            help="a folder that every worker reaches, or gs://, s3://, abfs://: Parquet tables")  # fmt: skip
        add("--window", type=at_least(1), default=600, metavar="SECONDS",
            help="seconds of a Parquet file")  # fmt: skip
        add("--lateness", type=at_least(0), default=7 * 86_400, metavar="SECONDS",
            help="seconds for late updates of numbers")  # fmt: skip


def stream_options(words: Sequence[str] | None = None) -> PipelineOptions:
    """Make Beam's options of a command line; streaming, with a runner that is named."""
    options = PipelineOptions(None if words is None else list(words))
    standard = options.view_as(StandardOptions)
    standard.streaming = True
    return options


def idle(word: str) -> int:
    """Read ``--idle`` as ms; raises ArgumentTypeError for what is none."""
    if word == "never":
        return NEVER
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= NEVER / 1000:
        raise argparse.ArgumentTypeError(f'"{word}" is no number of seconds, nor "never"')
    return round(seconds * 1000)


def at_least(least: int) -> Callable[[str], int]:
    """Make a reader of whole numbers that are not less; it raises ArgumentTypeError."""

    def read(word: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", word) or int(word) < least:
            raise argparse.ArgumentTypeError(f'"{word}" is no whole number from {least}')
        return int(word)

    return read


def subscription_name(word: str) -> str:
    """Read a subscription's full name; raises ArgumentTypeError for another."""
    if not re.fullmatch("projects/[^/]+/subscriptions/[^/]+", word):
        raise argparse.ArgumentTypeError(f'"{word}" is not projects/P/subscriptions/S')
    return word


def control_word(word: str) -> str:
    """Read one ``--control``; raises ArgumentTypeError if no log can be read from there."""
    name, address = _named(word)
    if not address or name == "":
        raise argparse.ArgumentTypeError(f'"{word}" is not [SPACE=]ADDRESS')
    _judge_scheme(address, LOGS, "control log can be read")
    return word


def redis_address(word: str) -> str:
    """Read where a Redis is; raises ArgumentTypeError, which never shows a password."""
    _judge_scheme(word, REDIS, "Redis is reached")
    return word


def tables_address(word: str) -> str:
    """Read where tables go; raises ArgumentTypeError for a store that Arrow does not know."""
    if not word:
        raise argparse.ArgumentTypeError("the address is empty")
    try:
        remote = isinstance(place_of(word), Remote)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if remote or word.partition(":/")[0] in STORES:
        _judge_scheme(word, STORES, "tables can be written")
        if "://" not in word:
            raise argparse.ArgumentTypeError(f'"{word}" lacks a slash: it would be a local folder')
    return word


def _judge_scheme(address: str, schemes: Iterable[str], what: str) -> None:
    if address.startswith(PREFIX):
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", address.removeprefix(PREFIX)):
            raise argparse.ArgumentTypeError("after env: stands the name of a variable")
        return
    try:
        parts = urlsplit(address)
        _ = parts.port if parts.scheme in REDIS else None
    except ValueError:  # its text may hold a part of a password
        raise argparse.ArgumentTypeError("the address is no URL: look at host and port") from None
    if parts.scheme not in schemes:
        known = ", ".join(f"{name}://" for name in schemes if name)
        said = f'no {what} from "{parts.scheme}://"; known are {known}'
        raise argparse.ArgumentTypeError(said)


def subscription_of(options: Any) -> Subscription:
    """Read how the events topic is read."""
    return Subscription(
        subscription=options.subscription,
        timestamp_attribute=options.timestamp_attribute,
        readers=options.readers,
        idle_ms=options.idle,
    )


def control_of(given: Sequence[str], space: str) -> dict[str, str]:
    """Read ``[SPACE=]ADDRESS`` words; raises ArgumentTypeError for two logs of one space."""
    found: dict[str, str] = {}
    for word in given:
        named, address = _named(word)
        name = space if named is None else named
        if name in found:
            raise argparse.ArgumentTypeError(f"two control logs for the space {name}")
        found[name] = address
    return found


def _named(word: str) -> tuple[str | None, str]:
    name, equals, address = word.partition("=")
    if not equals or "/" in name or "?" in name:  # the sign belongs to the address
        return None, word
    return name, address


def sinks_of(options: Any) -> Sinks:
    """Read where outputs go."""
    topics = topics_of(options.topics, options.topic_prefix) if options.topics else {}
    return Sinks(
        topics=topics,
        encoding=options.encoding,
        redis=options.states,
        tables=options.tables,
        window=options.window,
    )


class _Words:
    """Reads words as they stand, so that all of them are judged and not only the first wrong one.

    It takes the options as a parser does; what is not given is None.
    """

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(
            "python -m pipelines.stream",
            allow_abbrev=False,
            exit_on_error=False,
            epilog="Options of Beam and of its runners are handed on: --runner must be given.",
        )
        self.types: dict[str, Callable[[str], object]] = {}

    def add_argument(self, name: str, **more: Any) -> None:
        """Add an option without its default and what judges it."""
        more.pop("default", None)
        read = more.pop("type", str)
        if choices := more.pop("choices", ()):
            more["metavar"], read = "|".join(choices), _one_of(choices)
        self.types[name.removeprefix("--")] = read
        self.parser.add_argument(name, **more)


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def read(word: str) -> str:
        if word not in choices:
            raise argparse.ArgumentTypeError(f'"{word}" is none of {", ".join(choices)}')
        return word

    return read


def problems_of(words: Sequence[str]) -> list[str]:
    """Find all that is wrong with a command line, a line each; ``--help`` ends the process."""
    reader = _Words()
    StreamOptions._add_argparse_args(reader)  # noqa: SLF001 - Beam's hook
    try:
        given, unknown = reader.parser.parse_known_args(list(words))
    except argparse.ArgumentError as error:
        return [str(error)]
    runner = PipelineOptions(list(words)).view_as(StandardOptions).runner
    return [
        *_misspelt(unknown, [f"--{name}" for name in reader.types]),
        *_missing(given, runner),
        *_misread(given, reader.types),
        *_without_log(given),
    ]


def _misspelt(unknown: Sequence[str], ours: Sequence[str]) -> Iterator[str]:
    """Find what is like an option of ours; the rest may be a runner's."""
    for word in unknown:
        name = word.partition("=")[0]
        if name.startswith("-"):
            for close in get_close_matches(f"--{name.lstrip('-')}", ours, 1, ALIKE):
                yield f"{name} is no option: did you mean {close}?"


def _missing(given: Any, runner: str | None) -> Iterator[str]:
    if not given.subscription:
        yield "--subscription is missing: projects/P/subscriptions/S"
    if not given.control:
        yield "--control is missing: where the control log is"
    if runner is None:
        yield "--runner is missing: DataflowRunner, or PrismRunner for a try"
    if not (given.topics or given.states or given.tables):
        yield "--topics, --states and --tables are missing: nothing would be kept"


def _misread(given: Any, types: dict[str, Callable[[str], object]]) -> Iterator[str]:
    for name, read in types.items():
        value = getattr(given, name)
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str):
                try:
                    read(word)
                except argparse.ArgumentTypeError as error:
                    yield f"--{name}: {error}"


def _without_log(given: Any) -> Iterator[str]:
    """Judge the logs together; every message may name its space, so the usual one needs none."""
    try:
        logs = control_of(given.control or (), given.space or "default")
    except argparse.ArgumentTypeError as error:
        yield f"--control: {error}"
        return
    if logs and given.space is not None and given.space not in logs:
        yield f"--space: no control log is given for {given.space}; there are {', '.join(logs)}"
