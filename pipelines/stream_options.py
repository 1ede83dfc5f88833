"""What a streaming job is asked to do, and how Beam's command line says it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import msgspec
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

import schemas
from pipelines.counting import PACE
from schemas.wire import Encoding
from transforms.flows.catalog import NEVER
from transforms.sinks import pubsub
from transforms.sources.pubsub_hand import Settings as Subscription

TO_TABLES = tuple(kind for kind in schemas.OUTPUTS if kind not in ("flow_state", "handover"))
"""Kinds with a table; a flow state is of now, and a handover holds a whole state."""


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
        add("--subscription", help="projects/P/subscriptions/S: the events topic's")
        add("--timestamp_attribute", help="the attribute with the receipt; else publish time")
        add("--readers", type=int, default=1, help="readers of the subscription, not on Dataflow")
        add("--idle", type=idle, default=10_000, metavar="SECONDS|never",
            help="for how long the broker must have nothing before time goes on without data; "
            "never: only records and heartbeats move it; not on Dataflow (default: 10)")  # fmt: skip
        add("--control", action="append", default=[], metavar="[SPACE=]ADDRESS",
            help="a space's control log: a file, gs://, redis://; once for each space")  # fmt: skip
        add("--space", default="default", help="the space of messages that name none")
        add("--loose", action="store_true", help="go on when the control log is behind")
        add("--topics", metavar="PROJECT", help="publish outputs to topics of this project")
        add("--topic_prefix", default="", help="what the names of those topics begin with")
        add("--encoding", choices=("json", "avro"), default="json")
        add("--states", metavar="URL", help="Redis for flow states")
        add("--tables", metavar="DIR|URL",
            help="a folder that every worker reaches, or gs://, s3://, abfs://: Parquet tables")  # fmt: skip
        add("--window", type=int, default=600, help="seconds of a Parquet file")
        add("--lateness", type=int, default=7 * 86_400, help="seconds for late updates of numbers")


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
        name, equals, address = word.partition("=")
        if not equals or "/" in name or "?" in name:  # the sign belongs to the address
            name, address = space, word
        if name in found:
            raise argparse.ArgumentTypeError(f"two control logs for the space {name}")
        found[name] = address
    return found


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
