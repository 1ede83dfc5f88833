"""``towpath flows winner``: declare the best branch of a split."""

from __future__ import annotations

import argparse

from towpath.cli.flows.change import add_change, change

EXAMPLE = "towpath flows winner win_back offer discount"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flow", metavar="FLOW", help="the id of the flow")
    parser.add_argument("step", metavar="STEP", help="its split")
    parser.add_argument("branch", metavar="BRANCH", help="the best branch")
    add_change(parser)


def run(args: argparse.Namespace) -> int:
    """Declare the winner."""
    from towpath.control.proposals import declare_winner

    return change(
        args, lambda situation: declare_winner(situation, args.flow, args.step, args.branch)
    )
