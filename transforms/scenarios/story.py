"""The contents of a scenario file, and the state of its reader."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from transforms.flows.clock.zones import find_zone
from transforms.flows.diagnostics import Report, Source
from transforms.flows.protocol import control_records
from transforms.flows.protocol.signals import Signal

DEFAULT_USER = "kim"


class Settings(msgspec.Struct, frozen=True, gc=False):
    """The headers of a story or of its file.

    ``flows`` None means the flow with the name of the file; ``launch`` is the start of the flows.
    ``shows`` are the words of the transcript that are compared, none for all of them.
    """

    flows: tuple[str, ...] | None = None
    user: str = DEFAULT_USER
    zone: str = "UTC"
    launch: int = 0
    ids: bool = False
    shows: frozenset[str] = frozenset()

    @property
    def zone_info(self) -> ZoneInfo:
        return find_zone(self.zone)


class Input(msgspec.Struct, frozen=True, gc=False):
    """One input on a line (from 0): a signal, and the control record if it is one.

    ``communication`` is the send step whose newest message gets a status or an answer, ``call``
    the call step whose newest call is answered.
    """

    line: int
    at: int
    signal: Signal
    record: control_records.ControlRecord | None = None
    file: str | None = None
    communication: str | None = None
    call: str | None = None


class Table(msgspec.Struct, frozen=True, gc=False):
    """The table at the end of a story: one input at several times.

    Each row is played separately, after the inputs of the story. The rows are compared by the time
    of the first output of the kind ``word``.
    """

    word: str
    rows: tuple[Input, ...]


class Story(msgspec.Struct, frozen=True, gc=False):
    """One scenario: ``title`` is its first line, ``line`` the number of that line, from 0.

    ``broken``: a line of it, or a header of the file, could not be read. Every row of the
    ``table`` is played after the inputs.
    """

    title: str
    line: int
    settings: Settings
    inputs: tuple[Input, ...]
    broken: bool = False
    table: Table | None = None


class ScenarioFile(msgspec.Struct, frozen=True, gc=False):
    """A scenario file."""

    path: str
    lines: tuple[str, ...]
    stories: tuple[Story, ...]


class Reader:
    """The state of the reader: the current story, and the headers of the file.

    ``table`` is the input of the story's table, and the word that its rows compare.
    """

    def __init__(self, path: str, text: str, user: str, zone: str = "UTC") -> None:
        self.report = Report(Source(path, text))
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.head = self.settings = Settings(user=user, zone=zone)
        self.title: str | None = None
        self.line = 0
        self.inputs: list[Input] = []
        self.table: tuple[str, str] | None = None
        self.rows: list[Input] = []
        self.stories: list[Story] = []
        self.versions: dict[str, int] = {}
        self.broken = self.broken_head = False

    def close(self) -> None:
        """Finish the current story."""
        if self.title is not None or self.inputs or self.table:
            title, broken = self.title or "a timeline", self.broken or self.broken_head
            table = None if self.table is None else Table(self.table[1], tuple(self.rows))
            inputs = tuple(self.inputs)
            self.stories.append(Story(title, self.line, self.settings, inputs, broken, table))
        self.broken = False
        self.title, self.inputs, self.settings = None, [], self.head
        self.table, self.rows = None, []
        self.versions = {}

    def problem(self, number: int, column: int, code: str, message: str, known: str = "") -> None:
        """Report a problem of a line; its story is broken."""
        self.broken = True
        start = self.starts[number] + column
        end = self.starts[number] + len(self.lines[number].rstrip())
        self.report.add((start, max(start + 1, end)), code, message, known)
