"""``towpath diff``: compare two replays, user by user."""

from __future__ import annotations

import argparse
import shlex
import sys
from functools import partial
from pathlib import Path

from towpath.cli import common
from towpath.cli.results import damaged, finished_account
from towpath.reports.comparison import (
    KINDS,
    Comparison,
    Difference,
    Replays,
    Unreadable,
    compare,
)
from towpath.reports.comparison_picture import comparison
from towpath.reports.comparison_text import to_text

EXAMPLE = "towpath diff build/run build/changed --svg build/diff.svg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("before", metavar="OUT1", help="the results folder of a replay")
    add("after", metavar="OUT2", help="the results folder of the replay to compare with it")
    add("--svg", metavar="FILE", help="also write a picture")
    add(
        "--users",
        action="store_true",
        help="list the users whose outcome differs, instead of the counts",
    )
    add("--json", action="store_true", help="print the comparison, or each user, as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the comparison, or the users."""
    outs = Path(args.before), Path(args.after)
    accounts = finished_account(outs[0], KINDS), finished_account(outs[1], KINDS)
    try:
        with Replays(*outs) as replays:
            found = compare(replays, accounts, (args.before, args.after))
            users = replays.differences() if args.users else []
    except Unreadable as error:
        raise damaged(error.out, error.reason) from None
    for doubt in found.doubts:
        common.say(common.paint(f"warning: {doubt}", "yellow", sys.stderr))
    if args.svg:
        common.write_out(comparison(found), args.svg)
    if args.users:
        _show_users(users, args.json)
    else:
        _show(found, args)
    return 0


def _show(found: Comparison, args: argparse.Namespace) -> None:
    if args.json:
        common.print_json(found)
        return
    text = to_text(found, partial(common.paint, stream=sys.stdout))
    common.show_text(text.removesuffix("\n"))
    common.say("Nothing was sent in either replay: what users do is the same in both.")
    places = shlex.join([args.before, args.after])
    common.next_command(f"towpath diff {places} --users")


def _show_users(users: list[Difference], as_json: bool) -> None:
    if as_json:
        for one in users:
            common.print_json(one)
        return
    for one in users:
        common.show_text(f"{one.flow}  {one.user}  {_change(one)}")
    common.say(f"{len(users):,} difference" + ("" if len(users) == 1 else "s"))


def _change(one: Difference) -> str:
    if one.what == "times":
        return f"messages: {one.after}, at other times"
    if one.what == "messages" and one.before == one.after:
        return f"messages: {one.after}, other ones"
    return f"{one.what}: {one.before} → {one.after}"
