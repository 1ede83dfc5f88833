"""``towpath relay kafka files``: write topics to an archive."""

from __future__ import annotations

import argparse
from contextlib import suppress

from towpath.cli.relay.options import (
    add_consumer,
    add_files,
    add_kafka,
    add_reports,
    packages,
    run_to_files,
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
    add_files(parser)
    add_reports(parser)
    add_kafka(parser)


def run(args: argparse.Namespace) -> int:
    """Relay until SIGTERM or SIGINT; exit with 1 if files could not be written."""
    with packages():
        from towpath.relay.archive_files import ArchiveFiles
        from transforms.sinks.remote import place_of

    with usable():
        out = place_of(args.out)
        with suppress(OSError):  # a store that is away may come back
            out.exists()
    return run_to_files(args, ArchiveFiles(out))
