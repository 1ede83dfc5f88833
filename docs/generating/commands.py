"""The page about the commands: the ``--help`` text of each one."""

from __future__ import annotations

import argparse
import os

from docs.generating import markdown
from towpath.cli.main import COMMANDS, load, overview, parser_of

WIDTH = "96"

INTRO = """
Results go to stdout, progress and diagnostics to stderr. Colour is used only on terminals, and
not if `NO_COLOR` is set. On a terminal, commands end by suggesting the next command.
"""

CODES = (
    ("0", "success; there may be warnings"),
    (
        "1",
        "problems in the input: errors in a flow, a scenario that differs, rejected records",
    ),
    ("2", "wrong usage: an unknown option, a missing file"),
    ("3", "an internal error; the message names a log file with details"),
    ("130", "interrupted"),
    ("141", "broken pipe: the reader of the output has closed it"),
)


def page() -> str:
    """Return the page."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    try:
        parts = [part for name in COMMANDS for part in _command(name)]
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return markdown.page(
        "Commands",
        INTRO,
        markdown.block(overview(), "text"),
        "## Exit codes",
        markdown.table(("code", "meaning"), CODES),
        *parts,
    )


def _command(name: str) -> list[str]:
    _, about = COMMANDS[name]
    parts = [
        f"## towpath {name}",
        f"{about[0].upper()}{about[1:]}.",
        markdown.block(parser_of(name).format_help(), "text"),
    ]
    add_subcommands = getattr(load(name), "add_subcommands", None)
    if add_subcommands is not None:
        parser = argparse.ArgumentParser(prog=f"towpath {name}")
        for command, inner in add_subcommands(parser).items():
            parts += [f"### towpath {name} {command}", markdown.block(inner.format_help(), "text")]
    return parts
