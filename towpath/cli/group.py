"""A command that has commands of its own, one module each."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from typing import cast

from towpath.cli.command import Command

Commands = Mapping[str, tuple[str, str]]
"""For each command its module in the package of the group, and what it does."""


def add_commands(
    parser: argparse.ArgumentParser, package: str, commands: Commands
) -> dict[str, argparse.ArgumentParser]:
    """Add a parser for each command and return them."""
    group = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", title="commands"
    )
    parsers = {}
    for name, (module, about) in commands.items():
        command = load(package, module)
        parsers[name] = group.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=f"example:\n  {command.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(parsers[name])
    return parsers


def load(package: str, module: str) -> Command:
    """Import the module of one command."""
    return cast(Command, importlib.import_module(f"{package}.{module}"))
