"""``towpath relay kafka tables``: write the job's outputs to Parquet tables."""

from __future__ import annotations

import argparse

from pipelines.option_words import at_least
from towpath.cli.relay.options import (
    add_consumer,
    add_files,
    add_kafka,
    add_reports,
    packages,
    run_to_files,
    usable,
)

EXAMPLE = "towpath relay kafka tables --brokers kafka:9092 --topic transition --topic message --out tables"

ABOUT = """\
The folder gets a table for each space and kind of output, as in those of a streaming job, for reports and
the warehouse. Only what the job has committed is written. A file has the rows of a window of event time
and is written again when more of them come, so offsets are committed once files are complete and every
row is there once. Run one relay for a folder, and do not run `towpath compact` on it meanwhile. It exits
with 1 if it read what is no output with a table: this is counted, logged and left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    add = parser.add_argument
    add_consumer(parser, "topics of outputs, but not of metrics", "towpath-tables")
    add("--out", required=True, metavar="DIR", help="folder of the tables")
    add("--window", type=at_least(1), default=3_600, metavar="SECONDS",
        help="event time whose rows are in one file; it must stay the same for a folder (default: 3600)")  # fmt: skip
    add_files(parser)
    add_reports(parser)
    add_kafka(parser)


def run(args: argparse.Namespace) -> int:
    """Relay until SIGTERM or SIGINT; exit with 1 if records were left out or not confirmed."""
    with packages():
        from towpath.relay.table_files import TableFiles
        from transforms.sinks import parquet
        from transforms.sinks.folders import Folder

    with usable():
        target = TableFiles(Folder(parquet, args.out, args.window))
    return run_to_files(args, target)
