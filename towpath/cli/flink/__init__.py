"""``towpath flink``: operate a Flink cluster and the job on it. One module per command."""

from __future__ import annotations

import argparse

from towpath.cli import common, group

EXAMPLE = "towpath flink start"

SUBCOMMANDS = {
    "start": ("start", "start a cluster on this machine, or what is missing of it"),
    "submit": ("submit", "start the job on a cluster, from scratch or from a savepoint"),
    "status": ("status", "show the state of jobs, their checkpoints and how far they are behind"),
    "savepoint": ("savepoint", "make a savepoint of the job while it keeps running"),
    "upgrade": ("upgrade", "replace the job by new code or options, with the states of its users"),
    "rescale": ("rescale", "run the job with more or fewer instances of each function"),
    "stop": ("stop", "stop the job with a savepoint; --cluster also ends the cluster"),
}
"""Every command: its module, and what it does."""

INTRO = """\
The cluster is the one that `towpath flink start` has started on this machine, or with --rest one
elsewhere. Programs of Flink are in the environment that `make flink-env` makes."""

TAKES_REST = True
WITH_OPTIONS = ("submit", "upgrade")
"""The commands that pass the words after ``--`` to the job."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands."""
    parser.epilog = f"{INTRO}\n\n{parser.epilog}"
    add_subcommands(parser)


def add_subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Add a parser for each command and return them."""
    return group.add_commands(parser, __name__, SUBCOMMANDS)


def run(args: argparse.Namespace) -> int:
    """Run the command; errors of the cluster are shown without a traceback."""
    from towpath.flink.errors import FlinkError

    if args.rest and args.command not in WITH_OPTIONS:
        raise common.UserError(f"towpath flink {args.command} takes no options after --")
    try:
        return group.load(__name__, SUBCOMMANDS[args.command][0]).run(args)
    except FlinkError as error:
        raise common.UserError(str(error), code=1) from None
