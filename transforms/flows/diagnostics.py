"""Problems in a file, each with its place and help; all are reported at once.

The form of a message: what is wrong with the quoted name; what would help [code].
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")
Severity = Literal["error", "warning"]

SHORTEST_SECRET = 4
"""Shorter texts occur in messages by chance."""

MAX_MESSAGE = 1_000
MAX_LINE = 200
"""The characters of a message and of a source line that are shown."""

_RED, _YELLOW, _GREEN, _BOLD, _OFF = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[1m", "\x1b[0m"


class Problem(msgspec.Struct, frozen=True, gc=False):
    """One problem at a place: line and column from 1, ``length`` in characters.

    ``hidden`` are the parts of its line that are not shown, from and to which character.
    """

    path: str
    line: int
    column: int
    length: int
    code: str
    message: str
    help: str = ""
    severity: Severity = "error"
    hidden: tuple[tuple[int, int], ...] = ()


class Loaded(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """The value that a text defines, or None if it has errors, with every problem found."""

    value: T | None
    problems: tuple[Problem, ...] = ()


class SourceError(msgspec.Struct, frozen=True, gc=False):
    """An error in user code: line from 1, column from 0, length in characters."""

    line: int
    column: int
    message: str
    help: str = ""
    length: int = 1


SourceCheck = Callable[[str], SourceError | None]
"""How a sandbox checks user code: None if it can run the code."""


class Source:
    """A text with its path; it converts offsets to lines and columns."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._lines = [0, *(i + 1 for i, c in enumerate(text) if c == "\n")]

    def place(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset, both from 1."""
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def bounds(self, line: int) -> tuple[int, int]:
        """Return the offsets of the begin and the end of a line, which counts from 1."""
        end = self._lines[line] - 1 if line < len(self._lines) else len(self.text)
        return self._lines[line - 1], end

    def within_line(self, start: int, end: int) -> int:
        """Count the characters from ``start`` to ``end`` that are on the line of ``start``."""
        stop = self.text.find("\n", start)
        end = min(end, stop) if stop >= 0 else end
        return max(1, len(self.text[start:end].rstrip()))


class Report:
    """Collects the problems of one source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._problems: list[Problem] = []
        self._hidden: list[tuple[int, int]] = []

    def hide(self, start: int, end: int) -> None:
        """Do not show a part of the source, from and to which offset, with any problem."""
        self._hidden.append((start, end))

    def add(
        self,
        span: tuple[int, int],
        code: str,
        message: str,
        help: str = "",  # noqa: A002  # as the field of Problem
        severity: Severity = "error",
    ) -> None:
        """Record a problem at ``span``, a pair of offsets into the source."""
        line, column = self.source.place(span[0])
        length = self.source.within_line(*span)
        self._problems.append(
            Problem(self.source.path, line, column, length, code, message, help, severity)
        )

    @property
    def errors(self) -> int:
        return sum(1 for problem in self._problems if problem.severity == "error")

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(problem.code for problem in self._problems)

    def done(self, value: T | None) -> Loaded[T]:
        """Return the problems in order of place, with the value if none of them is an error."""
        distinct = dict.fromkeys(map(self._without_hidden, self._problems))
        order = sorted(distinct, key=lambda p: (p.line, p.column, p.code, p.message))
        return Loaded(None if self.errors else value, tuple(order))

    def _without_hidden(self, problem: Problem) -> Problem:
        if not self._hidden:
            return problem
        first, last = self.source.bounds(problem.line)
        hidden = [
            (max(start, first) - first, min(end, last) - first)
            for start, end in self._hidden
            if start < last and end > first
        ]
        message = problem.message
        for start, end in self._hidden:
            secret = self.source.text[start:end].strip("\"'")
            if len(secret) >= SHORTEST_SECRET:
                message = message.replace(secret, "*" * len(secret))
        return msgspec.structs.replace(problem, message=message, hidden=tuple(hidden))


def quoted(names: Iterable[str], most: int | None = None) -> str:
    """List names in quotes: at most so many, and the number of the others."""
    found = [f'"{name}"' for name in names]
    listed = ", ".join(found[:most])
    return (
        listed if most is None or len(found) <= most else f"{listed} and {len(found) - most} more"
    )


def suggest(name: str, known: Iterable[str]) -> str:
    """Return help for an unknown name: the name probably meant, else all known names."""
    names = sorted(set(known))
    close = get_close_matches(name, names, 1, 0.6) or get_close_matches(
        name.lower(), [n for n in names if n.lower() == name.lower()], 1, 0.0
    )
    if close:
        return f'did you mean "{close[0]}"?'
    if names and len(names) <= 12:
        return f"there is {quoted(names)}" if len(names) == 1 else f"there are {quoted(names)}"
    return ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like this one, if one is similar enough."""
    names = sorted(known)
    folded = {candidate.casefold(): candidate for candidate in reversed(names)}
    close = get_close_matches(name.casefold(), folded, 1, 0.7)
    return folded[close[0]] if close else None


def headline(problem: Problem) -> str:
    """Write a problem on one line: ``path:line:column: message; help [code]``."""
    kind = "warning: " if problem.severity == "warning" else ""
    tail = f"; {shortened(problem.help)}" if problem.help else ""
    place = f"{problem.path}:{problem.line}:{problem.column}"
    return f"{place}: {kind}{shortened(problem.message)}{tail} [{problem.code}]"


def shortened(text: str, most: int = MAX_MESSAGE) -> str:
    """Cut a text that is too long for a message."""
    return text if len(text) <= most else f"{text[:most]}…"


def printable(text: str) -> str:
    """Escape control characters, which a terminal would execute."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def show(problem: Problem, source_text: str, colour: bool = False) -> str:
    """Write a problem with its source line and a marker under the place."""
    lines = source_text.split("\n")
    head = printable(headline(problem))
    if colour:
        shade = _RED if problem.severity == "error" else _YELLOW
        place, rest = head.split(": ", 1)
        head = f"{_BOLD}{place}:{_OFF} {shade}{rest}{_OFF}"
    if problem.line > len(lines):
        return head
    line = lines[problem.line - 1].rstrip("\r")
    for start, end in problem.hidden:
        line = line[:start] + "*" * (end - start) + line[end:]
    line, column = _window(line, problem.column - 1)
    lead = "".join("\t" if c == "\t" else " " for c in line[:column])
    mark = "^" + "~" * (min(problem.length, max(1, len(line) - column)) - 1)
    # One character for one, so that the marker stays under its place.
    line = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line)
    return f"{head}\n  {line}\n  {lead}{_GREEN + mark + _OFF if colour else mark}"


def _window(line: str, column: int) -> tuple[str, int]:
    """Cut a line that is too long around a column; return it with the column's place in it."""
    start = max(0, column - MAX_LINE // 2) if len(line) > MAX_LINE else 0
    shown = line[start : start + MAX_LINE]
    tail = "…" if start + MAX_LINE < len(line) else ""
    return ("…" if start else "") + shown + tail, column - start + (start > 0)


def to_json(problem: Problem) -> str:
    """Write a problem as one JSON object on one line."""
    fields = msgspec.structs.asdict(problem)
    del fields["hidden"]
    return msgspec.json.encode(fields).decode()
