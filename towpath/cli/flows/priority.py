"""``towpath flows priority``: set which flow is served first."""

from __future__ import annotations

import argparse

from towpath.cli.flows.change import add_change, change

EXAMPLE = "towpath flows priority win_back 10"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flow", metavar="FLOW", help="the id of the flow")
    parser.add_argument("priority", metavar="NUMBER", type=int, help="higher ones are served first")
    add_change(parser)


def run(args: argparse.Namespace) -> int:
    """Set the priority."""
    from towpath.control.proposals import change_priority

    return change(args, lambda situation: change_priority(situation, args.flow, args.priority))
