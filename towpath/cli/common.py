"""What the commands share: results on stdout, messages on stderr, colour on terminals only."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import msgspec

from transforms.flows.diagnostics import Problem, printable, show

STYLES = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
    "bold": "1",
    "dim": "2",
}
MAX_TEXT = 64 * 1024 * 1024
_COLOUR = re.compile("(\x1b\\[[0-9;]{0,8}m)")
_LAYOUT = re.compile("([\n\t])")


class UserError(Exception):
    """An error that the user can fix: shown without a traceback.

    ``code`` is the exit code: 1 for problems in the input, 2 for wrong usage.
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def colours(stream: TextIO) -> bool:
    """Return True if the stream is a terminal that shows colour and NO_COLOR is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO) -> str:
    """Escape a text, and wrap it in a style from ``STYLES`` if the stream shows colour."""
    text = escaped(text)
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colours(stream) else text


def escaped(text: str, *, coloured: bool = False) -> str:
    """Escape control characters, which a terminal would execute, but no line ends and tabs.

    ``coloured`` also keeps codes that set a colour.
    """
    if coloured:
        parts = _COLOUR.split(text)
        return "".join(p if n % 2 else escaped(p) for n, p in enumerate(parts))
    parts = _LAYOUT.split(text)
    return "".join(p if n % 2 else printable(p) for n, p in enumerate(parts))


def say(text: str) -> None:
    """Print a message to stderr, with control characters escaped; stdout is for results only."""
    print(escaped(text, coloured=colours(sys.stderr)), file=sys.stderr)


def show_text(text: str, *, flush: bool = False) -> None:
    """Print a result for people to stdout, with control characters escaped."""
    print(escaped(text, coloured=colours(sys.stdout)), flush=flush)


def next_command(command: str) -> None:
    """Suggest the next command, if stderr is a terminal."""
    if sys.stderr.isatty():
        say(f"{paint('next:', 'dim', sys.stderr)} {command}")


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(msgspec.json.encode(value).decode())


def write_out(text: str, path: str | None) -> None:
    """Write a text to a file, or to stdout if the path is None or ``-``."""
    if path is None or path == "-":
        sys.stdout.write(text)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def read_text(path: Path) -> str:
    """Read a file as UTF-8; raise ``UserError`` if that fails, or if it is larger than 64 MiB."""
    try:
        with path.open("rb") as file:
            return decoded(file, str(path))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})", code=1) from None
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def decoded(file: BinaryIO, name: str) -> str:
    """Read an open file as UTF-8, at most 64 MiB: it may have no end, as /dev/zero."""
    data = file.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise UserError(f"{name}: larger than {MAX_TEXT // 2**20} MiB", code=1)
    return data.decode("utf-8-sig")


def show_problems(problems: Iterable[Problem], files: Mapping[str, str]) -> None:
    """Print problems to stderr, each with its source line."""
    for problem in problems:
        say(show(problem, files[problem.path], colours(sys.stderr)))


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows of cells to the left; the first row is the head."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
