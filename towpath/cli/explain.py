"""``towpath explain``: one user's way through a replay, with the reasons."""

from __future__ import annotations

import argparse
import shlex
import sys
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from pipelines.replay.results import ACCOUNT, Account, Unfinished, account
from towpath.cli import common
from towpath.reports.history import History, history_of
from towpath.reports.history_text import to_text

HELP = "tell from a replay's results when and why a user got what, or did not"
EXAMPLE = "towpath explain 00042 --out build/run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("user", metavar="USER", help="the user's id")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder of the replay")
    parser.add_argument("--json", action="store_true", help="the timeline as JSON")


def run(args: argparse.Namespace) -> int:
    """Explain; 1 if the replay has nothing about that user."""
    out = Path(args.out)
    history = _history(_account(out), out, args.user)
    if args.json:
        common.print_json(history)
    else:
        print(to_text(history, partial(common.paint, stream=sys.stdout)), end="")
    if not history.entries:
        common.say(
            f"nothing was decided about {args.user}: no such user, or nothing of theirs is read"
        )
        return 1
    common.next_command(
        f"towpath explain {shlex.quote(args.user)} --out {shlex.quote(args.out)} --json"
    )
    return 0


def _account(out: Path) -> Account:
    try:
        return account(out)
    except FileNotFoundError:
        raise common.UserError(f"{out}: no results of a replay here") from None
    except Unfinished:
        raise common.UserError(
            f"{out}: this replay was not finished; run it again", code=1
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise common.UserError(f"{out / ACCOUNT} is damaged; replay again", code=1) from None


def _history(account: Account, out: Path, user: str) -> History:
    try:
        return history_of(account, out, user)
    except (duckdb.Error, msgspec.MsgspecError) as error:
        reason = str(error).split("\n", 1)[0]
        raise common.UserError(f"{out}: the results are damaged: {reason}", code=1) from None
