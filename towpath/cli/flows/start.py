"""``towpath flows start``: let users enter flows."""

from __future__ import annotations

import argparse

from towpath.cli.flows.change import add_change, change

EXAMPLE = "towpath flows start win_back --note 'approved by Lee'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flows", metavar="FLOW", nargs="+", help="the ids of the flows")
    add_change(parser)


def run(args: argparse.Namespace) -> int:
    """Let users enter flows."""
    from towpath.control.proposals import change_status

    return change(args, lambda situation: change_status(situation, "start", args.flows))
