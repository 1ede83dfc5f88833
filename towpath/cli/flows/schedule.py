"""``towpath flows schedule``: set from when until when a flow takes entries."""

from __future__ import annotations

import argparse

from towpath.cli import common
from towpath.cli.flows.change import add_change, change

EXAMPLE = "towpath flows schedule win_back --end 2026-12-24T18:00"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flow", metavar="FLOW", help="the id of the flow")
    add = parser.add_argument
    add(
        "--start", metavar="TIME", help="from when, in the time zone of the flow (default: at once)"
    )
    add("--end", metavar="TIME", help="until when (default: without an end)")
    add(
        "--at-end",
        choices=("drain", "stop"),
        default="drain",
        help="what happens to sessions at the end: they go on, or end (default: drain)",
    )
    add("--none", action="store_true", help="remove the schedule, also that of the flow's file")
    add_change(parser, ends=True)


def run(args: argparse.Namespace) -> int:
    """Set the schedule."""
    from towpath.control.proposals import change_schedule

    if args.none == bool(args.start or args.end):
        raise common.UserError("say --start, --end or both, or --none to remove the schedule")
    return change(
        args,
        lambda situation: change_schedule(situation, args.flow, args.start, args.end, args.at_end),
    )
