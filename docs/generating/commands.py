"""The page about the commands: what each of them says with ``--help``."""

from __future__ import annotations

import os

from docs.generating import markdown
from towpath.cli.main import COMMANDS, load, overview, parser_of

WIDTH = "96"

INTRO = """
Results go to standard output, talk to standard error. Colour appears only on a terminal, and not
if `NO_COLOR` is set. Commands end with the next one to try, on a terminal.
"""

CODES = (
    ("0", "all is fine; warnings may have been shown"),
    (
        "1",
        "problems were found in what was read: errors of a flow, a scenario that differs, bad rows",
    ),
    ("2", "wrong use: an unknown option, a file that is not there"),
    ("3", "an error of Towpath's own; the details are in a file that is named"),
    ("130", "interrupted"),
    ("141", "the reader of the output went away"),
)


def page() -> str:
    """Write the page."""
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
    return [
        f"## towpath {name}",
        f"{load(name).HELP[0].upper()}{load(name).HELP[1:]}.",
        markdown.block(parser_of(name).format_help(), "text"),
    ]
