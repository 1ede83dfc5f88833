"""``towpath flows pause``: let no user enter and no step run, until the resume."""

from __future__ import annotations

import argparse

from towpath.cli.flows.change import add_change, change

EXAMPLE = "towpath flows pause win_back --note 'wrong price'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flows", metavar="FLOW", nargs="+", help="the ids of the flows")
    parser.add_argument(
        "--resume",
        choices=("fire", "shift", "skip"),
        default="fire",
        help="what the resume will do: go on with what was decided meanwhile, make waits and "
        "time-outs longer by the pause, or end sessions whose wait has run out (default: fire)",
    )
    add_change(parser)


def run(args: argparse.Namespace) -> int:
    """Pause flows."""
    from towpath.control.proposals import change_status

    return change(
        args, lambda situation: change_status(situation, "pause", args.flows, resume=args.resume)
    )
