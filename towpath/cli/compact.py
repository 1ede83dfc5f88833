"""``towpath compact``: merge the small files of a streaming job's tables."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from pipelines.compact.lease import Busy
from pipelines.compact.merge import OtherRelease
from pipelines.compact.table import Rules
from pipelines.compact.tables import Compacted, compact, tables_in
from towpath.cli import common
from transforms.flows.clock.delays import TimeSyntaxError, parse_delay
from transforms.sinks.remote import place_of

EXAMPLE = "towpath compact gs://bucket/tables --older 6h"
MEGABYTE = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="the --tables folder or address of the streaming job")
    add("--older", metavar="TIME", default="1h",
        help="leave files alone that were listed later than this ago (default: 1h)")  # fmt: skip
    add("--size", metavar="MB", type=int, default=128,
        help="size of the merged files; larger files than half of it stay (default: 128)")  # fmt: skip
    add("--keep", metavar="TIME", default="1h",
        help="how long replaced files stay, for readers that have started; a later run removes them "
        "(default: 1h)")  # fmt: skip
    add("--json", action="store_true", help="print one JSON object per table")


def run(args: argparse.Namespace) -> int:
    """Compact every table and print what was done to it."""
    if args.size < 1:
        raise common.UserError("--size must be at least 1")
    rules = Rules(args.size * MEGABYTE, _ms("--older", args.older), _ms("--keep", args.keep))
    changed = False
    try:
        place = place_of(args.folder)
        if not (isinstance(place, Path) and not place.is_dir()) and tables_in(place):
            for done in compact(place, rules):
                changed = _show(done, args.json) or changed
        else:
            raise common.UserError(f"{args.folder}: no tables of a streaming job")
    except Busy as error:
        raise common.UserError(str(error), code=1) from None
    except OtherRelease as error:
        raise common.UserError(
            f"{args.folder}: some files have other columns than this release ({error}); "
            "compact them with the release that wrote them",
            code=1,
        ) from None
    except (ValueError, msgspec.MsgspecError, duckdb.Error, pa.ArrowException) as error:
        reason = str(error).split("\n", 1)[0]
        raise common.UserError(f"{args.folder}: {reason}", code=1) from None
    if not changed and not args.json:
        common.say("nothing to merge or to remove")
    if isinstance(place, Path):
        common.next_command(f"towpath report {shlex.quote(args.folder)}")
    return 0


def _ms(option: str, text: str) -> int:
    """Read a duration in ms; 0 is allowed."""
    if text == "0":
        return 0
    try:
        delay = parse_delay(text)
    except TimeSyntaxError as error:
        raise common.UserError(f"{option}: {error}") from None
    if not delay.ms:
        raise common.UserError(f'{option}: "{text}" is a calendar duration; write for example 12h')
    return delay.ms


def _show(done: Compacted, as_json: bool) -> bool:
    changed = bool(done.merged or done.removed)
    if as_json:
        common.print_json(done)
    elif changed:
        parts = []
        if done.merged:
            parts.append(f"{done.merged:,} files merged into {done.into:,}")
        if done.removed:
            parts.append(f"{done.removed:,} replaced files removed")
        common.show_text(f"{done.space}/{done.kind}: {', '.join(parts)}", flush=True)
    return changed
