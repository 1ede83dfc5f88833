"""``towpath collect``: turn the lines of a job without a broker into tables."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipelines.collect import Collected, collect, count_metrics
from schemas.wire import WireError
from towpath.cli import common
from transforms.wire.output_lines import FOLDER

EXAMPLE = "towpath collect /data/tables --metrics"

ABOUT = """\
A job on Flink with --tables writes lines, which Flink commits with its checkpoints. This adds them to the
Parquet tables and removes them. Run it regularly, for example once a minute; if it is killed, run it
again: every row is in its table once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="the --tables folder of the job on Flink")
    add("--metrics", action="store_true",
        help="also count flow_metric and step_metric again, from all rows of the tables")  # fmt: skip
    add("--json", action="store_true", help="print one JSON object per table")


def run(args: argparse.Namespace) -> int:
    """Collect, and print how many rows were added to each table."""
    out = Path(args.folder)
    if not (out / FOLDER).is_dir():
        raise common.UserError(
            f"{args.folder}: no lines of a job on Flink; give the folder of its --tables"
        )
    try:
        found = collect(out)
        _show(found, args.json)
        if args.metrics:
            _show(count_metrics(out), args.json)
    except (WireError, msgspec.MsgspecError) as error:
        raise common.UserError(
            f"{args.folder}: some lines are not of this release ({error}); "
            "collect them with the release of the job",
            code=1,
        ) from None
    if not found and not args.json:
        common.say("nothing to collect")
    common.next_command(f"towpath report {shlex.quote(args.folder)}")
    return 0


def _show(found: Iterable[Collected], as_json: bool) -> None:
    for table in found:
        if as_json:
            common.print_json(table)
        else:
            common.show_text(f"{table.space}/{table.kind}: {table.rows:,} rows", flush=True)
