"""``towpath flows archive``: finish flows for good."""

from __future__ import annotations

import argparse

from towpath.cli.flows.change import add_change, change

EXAMPLE = "towpath flows archive win_back"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flows", metavar="FLOW", nargs="+", help="the ids of the flows")
    add_change(parser, ends=True)


def run(args: argparse.Namespace) -> int:
    """Finish flows for good."""
    from towpath.control.proposals import change_status

    return change(args, lambda situation: change_status(situation, "archive", args.flows))
