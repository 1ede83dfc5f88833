"""Options that the relays have in common."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.option_words import at_least, kafka_property, kafka_topic
from towpath.cli import common

if TYPE_CHECKING:
    from towpath.relay.from_kafka import FromKafka
    from towpath.relay.kafka import Brokers
    from towpath.relay.kafka_to_files import Target
    from towpath.relay.process import Relay, Reports

SECRETS = """\
A value of --property may be env:NAME, which is read from that environment variable, for example
--property sasl.password=env:KAFKA_PASSWORD."""


def add_kafka(parser: argparse.ArgumentParser) -> None:
    """Declare how Kafka is reached."""
    parser.epilog = f"{SECRETS}\n\n{parser.epilog}"
    add = parser.add_argument
    add("--brokers", required=True, metavar="HOST:PORT,…", help="brokers of Kafka")
    add("--property", type=kafka_property, action="append", default=[], metavar="NAME=VALUE",
        help="property of the Kafka client (librdkafka), such as security.protocol=SASL_SSL")  # fmt: skip


def add_consumer(parser: argparse.ArgumentParser, topics: str, group: str) -> None:
    """Declare what is read from Kafka, and by which group."""
    add = parser.add_argument
    add("--topic", type=kafka_topic, action="append", required=True,
        help=f"topic to read, once for each: {topics}")  # fmt: skip
    add("--group", default=group,
        help=f"consumer group, whose offsets say what is done (default: {group})")  # fmt: skip


def add_files(parser: argparse.ArgumentParser) -> None:
    """Declare when files are complete."""
    add = parser.add_argument
    add("--file-rows", type=at_least(1), default=50_000, metavar="N",
        help="how many records are held in memory for files at most, about (default: 50000)")  # fmt: skip
    add("--file-wait", type=seconds(0.1), default=60.0, metavar="SECONDS",
        help="how long a record waits at most for its file (default: 60)")  # fmt: skip
    add("--to-end", action="store_true", help="end once everything that is there was read")


def add_reports(parser: argparse.ArgumentParser) -> None:
    """Declare how counts are written."""
    add = parser.add_argument
    add("--status", type=seconds(0.1), default=60.0, metavar="SECONDS",
        help="how often the counts are written (default: 60)")  # fmt: skip
    add("--json", action="store_true", help="write the counts to stdout, as JSON")


def run_to_files(args: argparse.Namespace, target: Target) -> int:
    """Write topics to files; see ``run_from_kafka``."""

    def make(reader: FromKafka, stopped: threading.Event, reports: Reports) -> Relay:
        from towpath.relay.kafka_to_files import KafkaToFiles

        return KafkaToFiles(
            reader, target, stopped, reports, args.file_rows, args.file_wait, to_end=args.to_end
        )

    return run_from_kafka(args, make, "records")


def run_from_kafka(
    args: argparse.Namespace,
    make: Callable[[FromKafka, threading.Event, Reports], Relay],
    what: str,
) -> int:
    """Relay topics until the process is ended; ``what`` names what is in them.

    Return 1 if records were left out or not confirmed.
    """
    brokers = brokers_of(args)
    with packages():
        from towpath.relay.from_kafka import FromKafka
        from towpath.relay.process import Reports, Unconfirmed, ended_by_system

    stopped = ended_by_system()
    with usable():
        check_topics(brokers, args.topic)
        reader = FromKafka(brokers, args.topic, args.group)
        relay = make(reader, stopped, Reports(args.status, args.json))
    try:
        relay.run()
    except Unconfirmed as error:
        common.say(f"{error}; the next relay reads the {what} again")
        return 1
    return 1 if relay.counts.left_out else 0


def check_topics(brokers: Brokers, topics: Sequence[str]) -> None:
    """Raise Unusable if there is no such topic, and KafkaException."""
    from towpath.relay.kafka import partitions_of

    admin = brokers.admin()
    for topic in topics:
        partitions_of(admin, topic)


def brokers_of(args: argparse.Namespace) -> Brokers:
    """Return the brokers. Raises UserError without Kafka's client."""
    with packages():
        from towpath.relay.kafka import Brokers

    return Brokers(args.brokers, dict(args.property))


@contextmanager
def packages() -> Iterator[None]:
    """Turn a missing package into a message that says what to install."""
    try:
        yield
    except ImportError as error:
        extra = "kafka" if "confluent" in str(error) else "pubsub"
        extra = "redis" if "redis" in str(error) else extra
        raise common.UserError(f"{error}; run pip install 'towpath[{extra}]'") from None


@contextmanager
def usable() -> Iterator[None]:
    """Turn what is wrong with an address, a topic or a subscription into a message."""
    from confluent_kafka import KafkaException

    from towpath.relay.kafka import text_of

    try:
        yield
    except (ValueError, LookupError) as error:
        raise common.UserError(str(error)) from None
    except KafkaException as error:
        raise common.UserError(f"Kafka: {text_of(error)}", code=1) from None


class seconds:  # noqa: N801 - used like a function
    """Parses a number of seconds with a minimum. Raises ArgumentTypeError."""

    def __init__(self, least: float, most: float = 86_400.0) -> None:
        self._least, self._most = least, most

    def __call__(self, word: str) -> float:
        try:
            found = float(word)
        except ValueError:
            found = -1.0
        if not self._least <= found <= self._most:
            said = f"from {self._least:g} to {self._most:g}"
            raise argparse.ArgumentTypeError(f'"{word}" is not a number of seconds {said}')
        return found
