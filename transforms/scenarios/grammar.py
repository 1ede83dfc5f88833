"""Scenario files: stories of one user, each with the exact words that the core says.

A ``#`` line begins a story; lines at the margin are what happens, indented ones what the core
said, which ``rewritten`` replaces. Reading is line by line, every problem with its place.
"""

from __future__ import annotations

import re

import msgspec

from transforms.flows.clock.zones import zone_names
from transforms.flows.diagnostics import Loaded, suggest
from transforms.scenarios.lines import KINDS
from transforms.scenarios.story import DEFAULT_USER, Input, Reader, Settings, Stories, Story
from transforms.scenarios.values import Line, LineError

__all__ = ["DEFAULT_USER", "Input", "Settings", "Stories", "Story", "read_stories", "rewritten"]

_HEADER = re.compile(r"([a-z]+):[ \t]*(.*?)[ \t]*")
HEADERS = ("flows", "user", "zone", "launch", "show")


def rewritten(file: Stories, told: dict[int, list[str]]) -> str:
    """Write the file anew: ``told`` maps the line of an input to what the core says to it."""
    found: list[str] = []
    for number, line in enumerate(file.lines):
        if line[:1] in (" ", "\t") and line.strip():
            continue
        found.append(line.rstrip())
        found += [f"  {said}" for said in told.get(number, [])]
    return "\n".join(found).rstrip("\n") + "\n"


def read_stories(path: str, text: str, user: str = DEFAULT_USER) -> Loaded[Stories]:
    """Read a scenario file; ``user`` is whom stories are about that do not say."""
    reader = Reader(path, text, user)
    for number, line in enumerate(reader.lines):
        if not line.strip() or line[0] in " \t":
            continue
        if line[0] == "#":
            _heading(reader, number, line)
        elif (match := _HEADER.fullmatch(line)) and not reader.inputs:
            _header(reader, number, match)
        else:
            _input(reader, number, line)
    reader.close()
    return reader.report.done(Stories(path, tuple(reader.lines), tuple(reader.stories)))


def _heading(reader: Reader, number: int, line: str) -> None:
    if reader.inputs:
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
                new = msgspec.structs.replace(old, launch=Line(text).time(None, old.where))
            except LineError as error:
                column += error.column
                reader.problem(number, column, error.code, str(error), error.known)
                return
        case "show" if text == "ids":
            new = msgspec.structs.replace(old, ids=True)
        case _:
            known = suggest(name, HEADERS)
            reader.problem(number, 0, "unknown-key", f'a scenario has no "{name}: {text}"', known)
            return
    reader.settings = new
    if reader.title is None:
        reader.head = new


def _input(reader: Reader, number: int, text: str) -> None:
    line, where = Line(text), reader.settings.where
    previous = reader.inputs[-1].at if reader.inputs else None
    try:
        at = line.time(previous, where)
        start = line.at
        kind = line.name("what happens")
        if kind not in KINDS:
            known = suggest(kind, KINDS)
            reader.problem(number, start, "unknown-input", f'"{kind}" cannot happen', known)
            return
        default = f"{len(reader.inputs) + 1}"
        found = KINDS[kind](reader, line, at, default)
        if not line.over:
            raise line.stop("this is not expected here")
    except LineError as error:
        reader.problem(number, error.column, error.code, str(error), error.known)
        return
    reader.inputs.append(msgspec.structs.replace(found, line=number))
