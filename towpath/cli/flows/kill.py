"""``towpath flows kill``: block all that a flow or a channel sends, or allow it again."""

from __future__ import annotations

import argparse

from towpath.cli import common
from towpath.cli.flows.change import add_change, change

EXAMPLE = "towpath flows kill --channel sms --note 'provider is down'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("flow", metavar="FLOW", nargs="?", help="the flow (default: every flow)")
    add("--channel", metavar="NAME", help="only messages on this channel")
    add("--all", action="store_true", help="everything that any flow sends")
    add("--off", action="store_true", help="allow it again")
    add_change(parser)


def run(args: argparse.Namespace) -> int:
    """Switch the kill switch."""
    from towpath.control.proposals import switch_kill

    if args.all == bool(args.flow or args.channel):
        raise common.UserError("name a flow, a --channel or both, or say --all")
    return change(
        args, lambda situation: switch_kill(situation, args.flow, args.channel, off=args.off)
    )
