"""``towpath explain``: the timeline of one user in a replay, with reasons."""

from __future__ import annotations

import argparse
import shlex
import sys
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from pipelines.replay.results import Account
from towpath.cli import common
from towpath.cli.results import damaged, finished_account
from towpath.reports.history import KINDS, History, history_of
from towpath.reports.history_text import to_text

EXAMPLE = "towpath explain 00042 --out build/run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("user", metavar="USER", help="the user's id")
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="the results folder of the replay"
    )
    parser.add_argument("--json", action="store_true", help="print the timeline as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the timeline; exit with 1 if the results have nothing about that user."""
    out = Path(args.out)
    history = _history(finished_account(out, KINDS), out, args.user)
    if args.json:
        common.print_json(history)
    elif history.entries:
        text = to_text(history, partial(common.paint, stream=sys.stdout))
        common.show_text(text.removesuffix("\n"))
    if not history.entries:
        common.say(f"no results for user {args.user}: no such user, or no flow uses their events")
        return 1
    common.next_command(
        f"towpath explain {shlex.quote(args.user)} --out {shlex.quote(args.out)} --json"
    )
    return 0


def _history(account: Account, out: Path, user: str) -> History:
    try:
        return history_of(account, out, user)
    except (duckdb.Error, msgspec.MsgspecError) as error:
        raise damaged(out, error) from None
