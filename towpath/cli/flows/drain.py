"""``towpath flows drain``: let no user enter; sessions go on."""

from __future__ import annotations

import argparse

from towpath.cli.flows.change import add_change, change

EXAMPLE = "towpath flows drain win_back"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flows", metavar="FLOW", nargs="+", help="the ids of the flows")
    add_change(parser)


def run(args: argparse.Namespace) -> int:
    """Let no user enter; sessions go on."""
    from towpath.control.proposals import change_status

    return change(args, lambda situation: change_status(situation, "drain", args.flows))
