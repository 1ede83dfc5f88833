"""Markdown helpers: pages, tables and code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

CITED = re.compile(r"\s*\([A-Z]\d+(-[A-Z]?\d+)?(, [A-Z]\d+(-[A-Z]?\d+)?)*\)")
"""Rule numbers in docstrings, such as (R12), which pages leave out."""

NOTE = "<!-- Generated from the code by `make docs`; do not edit. -->"


def page(title: str, *parts: str) -> str:
    """Join parts into a page with a title."""
    return "\n\n".join([f"# {title}", NOTE, *(part.strip("\n") for part in parts)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(text: str) -> str:
    """Return a text as inline code."""
    return f"`{text}`" if text else ""


def block(text: str, language: str) -> str:
    """Return a text as a code block."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def plain(doc: str | None) -> str:
    """Return the first paragraph of a docstring without rule numbers."""
    first = (doc or "").strip().split("\n\n")[0]
    return " ".join(CITED.sub("", first).replace("``", "`").split())
