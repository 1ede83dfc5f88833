"""Markdown made of values: tables, code, lists. Every page ends with one newline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

CITED = re.compile(r"\s*\([A-Z]\d+(-[A-Z]?\d+)?(, [A-Z]\d+(-[A-Z]?\d+)?)*\)")
"""Rules that a docstring cites; they are explained on pages of their own."""

NOTE = "<!-- Written by `make docs` from the code; change it there. -->"


def page(title: str, *parts: str) -> str:
    """Join parts to a page with a title."""
    return "\n\n".join([f"# {title}", NOTE, *(part.strip("\n") for part in parts)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Set rows as a table."""
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(text: str) -> str:
    """Set a short text as code."""
    return f"`{text}`" if text else ""


def block(text: str, language: str) -> str:
    """Set a text as a block of code."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def plain(doc: str | None) -> str:
    """Take a docstring's first paragraph without the rules that it cites."""
    first = (doc or "").strip().split("\n\n")[0]
    return " ".join(CITED.sub("", first).replace("``", "`").split())
