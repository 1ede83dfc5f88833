"""``towpath flows``: operate flows that run, through their control log. One module per command."""

from __future__ import annotations

import argparse

from towpath.cli import group

EXAMPLE = (
    "towpath flows pause win_back --control redis://localhost/0?space=shop --note 'wrong price'"
)

SUBCOMMANDS = {
    "list": ("list_flows", "show the flows, their status, sessions and what changed them last"),
    "publish": ("publish", "publish new versions of flows, after a preview of what changes"),
    "start": ("start", "let users enter flows"),
    "pause": ("pause", "let no user enter and no step run, until the resume"),
    "resume": ("resume", "let paused flows go on"),
    "drain": ("drain", "let no user enter; sessions go on to their end"),
    "stop": ("stop", "let no user enter, and end all sessions"),
    "archive": ("archive", "finish flows for good; ends all sessions"),
    "schedule": ("schedule", "set from when until when a flow takes entries"),
    "priority": ("priority", "set which flow is served first"),
    "goals": ("goals", "set what counts as success of a flow"),
    "winner": ("winner", "declare the best branch of a split"),
    "kill": ("kill", "block all that a flow or a channel sends, at once; --off allows it again"),
    "serve": ("serve", "run the controller of a space, which decides what concerns all users"),
    "history": ("history", "show who changed what, when and why"),
}
"""Every command: its module, and what it does."""

INTRO = """\
Every command checks the change against the log before it writes, and says in words what changes.
The log is named by --control or the variable TOWPATH_CONTROL."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands."""
    parser.epilog = f"{INTRO}\n\n{parser.epilog}"
    add_subcommands(parser)


def add_subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Add a parser for each command and return them."""
    return group.add_commands(parser, __name__, SUBCOMMANDS)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    return group.load(__name__, SUBCOMMANDS[args.command][0]).run(args)
