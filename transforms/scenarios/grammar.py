"""Reads scenario files: stories of one user, with the exact transcript of the outputs.

A ``#`` line begins a story. Lines at the margin are inputs; indented lines are the transcript,
which ``with_transcripts`` replaces. A story may end with a table. Every problem is reported with its
place.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

import msgspec

from transforms.flows.clock.zones import zone_names
from transforms.flows.diagnostics import Loaded, Problem, suggest
from transforms.scenarios.lines import KINDS
from transforms.scenarios.story import DEFAULT_USER, Input, Reader, ScenarioFile, Story
from transforms.scenarios.transcript import WORDS
from transforms.scenarios.values import Line, LineError

_HEADER = re.compile(r"([a-z]+):[ \t]*(.*?)[ \t]*")
HEADERS = ("flows", "user", "zone", "launch", "show")
_TABLE = re.compile(r"table:[ \t]*(.*?)[ \t]*->[ \t]*(\w*)[ \t]*")
TIMED = tuple(word for word in WORDS if word not in ("next", "nothing", "answered"))
"""What a table can compare: the words of lines that begin with a time."""


def with_transcripts(
    file: ScenarioFile,
    transcripts: Mapping[int, list[str]],
    rows: Mapping[int, str],
    kept: Container[int] = (),
) -> str:
    """Write the file with new transcripts, given as lines of text by the line of their input.

    ``rows`` are the new rows of tables, by line. The lines ``kept`` stay as they are.
    """
    lines: list[str] = []
    for number, line in enumerate(file.lines):
        if number in kept:
            lines.append(line.rstrip())
            continue
        if line[:1] in (" ", "\t") and line.strip():
            continue
        lines.append(rows.get(number, line.rstrip()))
        lines += [f"  {text}" for text in transcripts.get(number, [])]
    return "\n".join(lines).rstrip("\n") + "\n"


def expected_lines(file: ScenarioFile, number: int) -> list[str]:
    """Return the transcript that the file has below the input on a line."""
    found = []
    for line in file.lines[number + 1 :]:
        if not line.strip():
            continue
        if line[0] not in " \t":
            break
        found.append(line.strip())
    return found


def lines_of(file: ScenarioFile, story: Story) -> range:
    """Return the numbers of the lines of a story, from its title to the next one's."""
    after = [other.line for other in file.stories if other.line > story.line]
    return range(story.line, min(after, default=len(file.lines)))


def read_stories(
    path: str, text: str, user: str = DEFAULT_USER, zone: str = "UTC"
) -> Loaded[ScenarioFile]:
    """Read a scenario file; ``user`` and ``zone`` are those of stories that do not name one."""
    file, problems = read_partly(path, text, user, zone)
    return Loaded(None if problems else file, problems)


def read_partly(
    path: str, text: str, user: str = DEFAULT_USER, zone: str = "UTC"
) -> tuple[ScenarioFile, tuple[Problem, ...]]:
    """Read a scenario file and its problems; a story with a problem is ``broken``."""
    reader = Reader(path, text, user, zone)
    for number, line in enumerate(reader.lines):
        if not line.strip() or line[0] in " \t":
            continue
        if line[0] == "#":
            _heading(reader, number, line)
        elif line.startswith("table:"):
            _table(reader, number, line)
        elif reader.table is not None:
            _row(reader, number, line)
        elif (match := _HEADER.fullmatch(line)) and not reader.inputs:
            _header(reader, number, match)
            of_file = reader.title is None and not reader.stories
            reader.broken_head = reader.broken_head or (of_file and reader.broken)
        else:
            _input(reader, number, line)
    reader.close()
    file = ScenarioFile(path, tuple(reader.lines), tuple(reader.stories))
    return file, reader.report.done(None).problems


def _heading(reader: Reader, number: int, line: str) -> None:
    if reader.inputs or reader.table or reader.broken:
        reader.close()
    if reader.title is None:
        reader.title, reader.line = line.lstrip("# ").rstrip(), number


def _header(reader: Reader, number: int, match: re.Match[str]) -> None:
    name, text = match.groups()
    old = reader.settings
    column = match.start(2)
    match name:
        case "flows":
            named = tuple(part.strip() for part in text.split(",") if part.strip())
            new = msgspec.structs.replace(old, flows=named)
        case "user" if text:
            new = msgspec.structs.replace(old, user=text)
        case "zone" if text in zone_names():
            new = msgspec.structs.replace(old, zone=text)
        case "zone":
            known = suggest(text, zone_names())
            reader.problem(number, column, "unknown-zone", f'"{text}" is not a time zone', known)
            return
        case "launch":
            try:
                new = msgspec.structs.replace(old, launch=Line(text).time(None, old.zone_info))
            except LineError as error:
                column += error.column
                reader.problem(number, column, error.code, str(error), error.known)
                return
        case "show" if words := text.replace(",", " ").split():
            for word in words:
                if word not in (*WORDS, "ids"):
                    known = suggest(word, (*WORDS, "ids"))
                    said = f'a transcript has no "{word}"'
                    reader.problem(number, line_place(match, word), "unknown-word", said, known)
                    return
            shows = frozenset(words) - {"ids"}
            new = msgspec.structs.replace(old, ids="ids" in words or old.ids, shows=shows)
        case _:
            known = suggest(name, HEADERS)
            reader.problem(number, 0, "unknown-key", f'a scenario has no "{name}: {text}"', known)
            return
    reader.settings = new
    if reader.title is None:
        reader.head = new


def _table(reader: Reader, number: int, line: str) -> None:
    """Read the head of a table: ``table: event Order {total: 30} -> message``."""
    if reader.table is not None:
        reader.problem(number, 0, "scenario-syntax", "a scenario has one table, at its end")
        return
    reader.table, match = ("", ""), _TABLE.fullmatch(line)
    if match is None:
        message = "a table says an input and what is expected: table: event Order -> message"
        reader.problem(number, 0, "scenario-syntax", message)
        return
    given, word = match.groups()
    if word not in TIMED:
        known = suggest(word, TIMED)
        message = f'a table cannot compare "{word}"'
        reader.problem(number, match.start(2), "unknown-word", message, known)
    read = _read(reader, Line(given), number, match.start(1), 0)
    if read is not None and read.record is not None:
        message = "a table repeats a signal of a user, not a control record"
        reader.problem(number, match.start(1), "unknown-input", message)
    elif read is not None:
        reader.table = (given, word)


def _row(reader: Reader, number: int, text: str) -> None:
    """Read a row of a table: ``2026-03-01 22:30 -> 2026-03-02 08:00``."""
    assert reader.table is not None
    line, before = Line(text), reader.rows or reader.inputs
    try:
        at = line.time(before[-1].at if before else None, reader.settings.zone_info)
        if reader.inputs and at < reader.inputs[-1].at:
            raise line.stop("a row is not before the inputs above the table", "invalid-time", 0)
        if not line.passes("->"):
            raise line.stop('"->" is expected here, and what time the table expects, or never')
    except LineError as error:
        reader.problem(number, error.column, error.code, str(error), error.known)
        return
    said = reader.table[0]  # empty if it could not be read, which is reported already
    given = _read(reader, Line(said), number, 0, at) if said else None
    if given is not None:
        reader.rows.append(msgspec.structs.replace(given, line=number))


def line_place(match: re.Match[str], word: str) -> int:
    """Return the column of a word of a header."""
    return match.start(2) + match.group(2).index(word)


def _input(reader: Reader, number: int, text: str) -> None:
    line, zone = Line(text), reader.settings.zone_info
    previous = reader.inputs[-1].at if reader.inputs else None
    try:
        at = line.time(previous, zone)
    except LineError as error:
        reader.problem(number, error.column, error.code, str(error), error.known)
        return
    given = _read(reader, line, number, 0, at)
    if given is not None:
        reader.inputs.append(msgspec.structs.replace(given, line=number))


def _read(reader: Reader, line: Line, number: int, column: int, at: int) -> Input | None:
    """Read what happens at a time; the text of the line begins at a column. None is a problem."""
    try:
        start = line.at
        kind = line.name("an input")
        if kind not in KINDS:
            known = suggest(kind, KINDS)
            raise line.stop(f'"{kind}" is not an input', "unknown-input", start, known)
        given = KINDS[kind](reader, line, at, f"{len(reader.inputs) + 1}")
        if not line.over:
            raise line.stop("this is not expected here")
    except LineError as error:
        reader.problem(number, column + error.column, error.code, str(error), error.known)
        return None
    return given
