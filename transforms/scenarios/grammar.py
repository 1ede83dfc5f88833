"""Reads scenario files: stories of one user, with the exact transcript of the outputs.

A ``#`` line begins a story. Lines at the margin are inputs; indented lines are the transcript,
which ``with_transcripts`` replaces. Every problem is reported with its place.
"""

from __future__ import annotations

import re
from collections.abc import Container

import msgspec

from transforms.flows.clock.zones import zone_names
from transforms.flows.diagnostics import Loaded, Problem, suggest
from transforms.scenarios.lines import KINDS
from transforms.scenarios.story import DEFAULT_USER, Reader, ScenarioFile, Story
from transforms.scenarios.transcript import WORDS
from transforms.scenarios.values import Line, LineError

_HEADER = re.compile(r"([a-z]+):[ \t]*(.*?)[ \t]*")
HEADERS = ("flows", "user", "zone", "launch", "show")


def with_transcripts(
    file: ScenarioFile, transcripts: dict[int, list[str]], kept: Container[int] = ()
) -> str:
    """Write the file with new transcripts, given as lines of text by the line of their input.

    The lines ``kept`` stay as they are.
    """
    lines: list[str] = []
    for number, line in enumerate(file.lines):
        if number in kept:
            lines.append(line.rstrip())
            continue
        if line[:1] in (" ", "\t") and line.strip():
            continue
        lines.append(line.rstrip())
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
    if reader.inputs or reader.broken:
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


def line_place(match: re.Match[str], word: str) -> int:
    """Return the column of a word of a header."""
    return match.start(2) + match.group(2).index(word)


def _input(reader: Reader, number: int, text: str) -> None:
    line, zone = Line(text), reader.settings.zone_info
    previous = reader.inputs[-1].at if reader.inputs else None
    try:
        at = line.time(previous, zone)
        start = line.at
        kind = line.name("an input")
        if kind not in KINDS:
            known = suggest(kind, KINDS)
            reader.problem(number, start, "unknown-input", f'"{kind}" is not an input', known)
            return
        default = f"{len(reader.inputs) + 1}"
        given = KINDS[kind](reader, line, at, default)
        if not line.over:
            raise line.stop("this is not expected here")
    except LineError as error:
        reader.problem(number, error.column, error.code, str(error), error.known)
        return
    reader.inputs.append(msgspec.structs.replace(given, line=number))
