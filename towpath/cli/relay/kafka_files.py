"""``towpath relay kafka files``: write topics to an archive."""

from __future__ import annotations

import argparse

from pipelines.option_words import at_least
from towpath.cli import common
from towpath.cli.relay.options import (
    add_consumer,
    add_kafka,
    add_reports,
    brokers_of,
    packages,
    seconds,
    usable,
)

EXAMPLE = (
    "towpath relay kafka files --brokers kafka:9092 --topic events --topic handovers --out archive"
)

ABOUT = """\
Each topic gets a folder of Avro files with body, headers and time of its records: the form in which
Pub/Sub archives messages. `python -m pipelines.archive` makes a log of them that
`towpath replay --events` reads. Heartbeats are left out, and so is what was never committed. Offsets are
committed once files are complete: after a crash some records are in two files, which a replay
recognizes by their ids. Relays with the same --group share the partitions. It runs until SIGTERM, or
with --to-end until it has read everything."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    add = parser.add_argument
    add_consumer(parser, "those that the job reads", "towpath-files")
    add("--out", required=True, metavar="DIR|URL",
        help="folder of the archive, or gs://, s3://, abfs://")  # fmt: skip
    add("--file-rows", type=at_least(1), default=50_000, metavar="N",
        help="records in a file at most, about; they are held in memory (default: 50000)")  # fmt: skip
    add("--file-wait", type=seconds(0.1), default=60.0, metavar="SECONDS",
        help="how long a record waits at most for its file (default: 60)")  # fmt: skip
    add("--to-end", action="store_true", help="end once everything that is there was read")
    add_reports(parser)
    add_kafka(parser)


def run(args: argparse.Namespace) -> int:
    """Relay until SIGTERM or SIGINT; exit with 1 if files could not be written."""
    brokers = brokers_of(args)
    with packages():
        from towpath.relay.from_kafka import FromKafka
        from towpath.relay.kafka import partitions_of
        from towpath.relay.kafka_to_files import Folder, KafkaToFiles
        from towpath.relay.process import Reports, Unconfirmed, ended_by_system
        from transforms.sinks.remote import place_of

    stopped = ended_by_system()
    with usable():
        out = place_of(args.out)
        for topic in args.topic:
            partitions_of(brokers.admin(), topic)
        relay = KafkaToFiles(
            FromKafka(brokers, args.topic, args.group),
            Folder(out, args.file_rows, args.file_wait),
            stopped,
            Reports(args.status, args.json),
            args.to_end,
        )
    try:
        relay.run()
    except Unconfirmed as error:
        common.say(f"{error}; the next relay reads the records again")
        return 1
    return 0
