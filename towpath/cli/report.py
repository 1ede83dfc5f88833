"""``towpath report``: one HTML page with charts from a replay, or from the streaming job's tables."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec

from pipelines.replay.results import ACCOUNT
from towpath.cli import common
from towpath.cli.results import damaged, finished_account
from towpath.reports.funnel import KINDS
from towpath.reports.html.numbers import Numbers, numbers_of
from towpath.reports.html.page import page_of
from towpath.reports.html.results import Results, streamed
from towpath.reports.views import DATABASE
from transforms.sinks.part_files import write_whole

EXAMPLE = "towpath report build/run"
PAGE = "report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("out", metavar="DIR", help="the results folder of a replay, or the --tables folder of the "
        "streaming job")  # fmt: skip
    add("--flow", metavar="NAME", default="", help="only this flow (default: all)")
    add("--page", metavar="FILE", help=f"where to write the page (default: {PAGE} in DIR)")
    add("--json", action="store_true", help="print the numbers of the page as JSON; write no page")


def run(args: argparse.Namespace) -> int:
    """Write the page and print its path, or print its numbers."""
    out = Path(args.out)
    if out.name == DATABASE:
        out = out.parent
    results = _results(out)
    if args.flow:
        _check_flow(args.flow, results)
    numbers = _numbers(results, out, args.flow)
    if args.json:
        common.print_json(numbers)
        return 0
    page = Path(args.page) if args.page else out / PAGE
    data = page_of(numbers).encode()
    write_whole(page, data)
    common.show_text(str(page))
    common.say(f"{len(data) / 1e6:.1f} MB; open it in a browser")
    command = "compact" if results[0].streamed else "query"
    common.next_command(f"towpath {command} {shlex.quote(str(out))}")
    return 0


def _results(out: Path) -> list[Results]:
    if not out.is_dir():
        raise common.UserError(f"{out}: no such folder; give the results folder of a replay, or a "
                               "local --tables folder of the streaming job")  # fmt: skip
    if (out / ACCOUNT).exists():
        return [Results(out, finished_account(out, KINDS))]
    try:
        found = list(streamed(out))
    except (duckdb.Error, msgspec.MsgspecError, OSError) as error:
        raise damaged(out, error) from None
    if not found:
        raise common.UserError(
            f"{out}: neither the results folder of a replay nor the --tables folder of the "
            "streaming job"
        )
    return found


def _check_flow(flow: str, results: list[Results]) -> None:
    names = sorted({name for found in results for name in found.account.shape.steps})
    if flow not in names:
        raise common.UserError(f'no flow "{flow}" in these results; there are {", ".join(names)}')


def _numbers(results: list[Results], out: Path, flow: str) -> Numbers:
    try:
        return numbers_of(results, out.absolute().name, flow, _progress())
    except (duckdb.Error, msgspec.MsgspecError) as error:
        raise damaged(out, error) from None
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _progress() -> Callable[[int, int], None]:
    """Show on a terminal how many queries are done."""
    if not sys.stderr.isatty():
        return lambda done, total: None

    def show(done: int, total: int) -> None:
        sys.stderr.write(f"\r\x1b[K{done} of {total} queries")
        sys.stderr.flush()

    return show
