"""Parses pages of documentation into files to write and commands with their output.

A block under a line that ends with the name of a file (``In `my_flows/space.yaml`:``) is that
file. In a ``console`` block ``$`` begins a command; what follows is its exact output, in which
``...`` stands for anything; lines that begin with ``>`` continue the command. After a command,
``# exit code 1`` is the expected exit code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w./-]+\.(?:yaml|liquid|txt|csv|jsonl))`:$")
EXIT = re.compile(r"\s+# exit code (\d+)$")
COMMENT = re.compile(r"\s{2,}# .*$")


class File(msgspec.Struct, frozen=True):
    """A file that the reader writes."""

    path: str
    text: str
    line: int


class Command(msgspec.Struct, frozen=True):
    """A command that the reader types, and its output: lines ``first`` to ``last`` of the page.

    Lines count from 1; ``last`` is exclusive.
    """

    text: str
    output: str
    code: int
    line: int
    first: int
    last: int


class Other(msgspec.Struct, frozen=True):
    """Any other block."""

    language: str
    text: str
    line: int


Block = File | Command | Other


def blocks(page: Path) -> Iterator[Block]:
    """Parse the blocks of a page in order."""
    whole = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(whole):
        language, text = found.groups()
        line = whole.count("\n", 0, found.start()) + 1
        named = FILE.search(whole[: found.start()].rstrip())
        if language == "console":
            yield from _commands(text, line)
        elif named is not None:
            yield File(named[1], text, line)
        else:
            yield Other(language, text, line)


def _commands(text: str, line: int) -> Iterator[Command]:
    lines = text.split("\n")[:-1]
    starts = [i for i, found in enumerate(lines) if found.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        typed, first = [lines[start][2:]], start + 1
        while first < end and lines[first].startswith("> "):
            typed.append(lines[first].removeprefix("> "))
            first += 1
        said = "\n".join(typed)
        code = EXIT.search(said)
        said = COMMENT.sub("", EXIT.sub("", said))
        output = "\n".join(lines[first:end]).strip("\n")
        begins, ends = line + 1 + first, line + 1 + end
        yield Command(said, output, int(code[1]) if code else 0, line + 1 + start, begins, ends)


def pattern(output: str) -> re.Pattern[str]:
    """Return the pattern of an expected output: ``...`` on a line of its own matches any lines."""
    parts = []
    for line in output.split("\n") if output else []:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, line.rstrip().split("..."))) + r"\n")
    return re.compile("".join(parts))


def rewritten(page: str, seen: list[tuple[Command, str]]) -> str:
    """Insert the actual output after each command; outputs with ``...`` are kept."""
    lines = page.split("\n")
    for command, output in reversed(seen):
        if "..." not in command.output:
            lines[command.first - 1 : command.last - 1] = output.split("\n")[:-1]
    return "\n".join(lines)


def tidy(output: str) -> str:
    """Remove trailing blanks, and empty lines at both ends."""
    lines = "\n".join(line.rstrip() for line in output.split("\n")).strip("\n")
    return f"{lines}\n" if lines else ""
