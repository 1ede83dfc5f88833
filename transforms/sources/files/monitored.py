"""Files of JSON lines in a folder to which others are added, read in the order of their names.

A file must be whole when its name appears: write it under a name that begins with a dot, or elsewhere
on the same disk, then rename it. Lines are in the order of their ingestion times. A line
``{"type": "heartbeat", "receivedAt": …}`` says that everything received earlier is in the files so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from transforms.sources.files import json_lines, source_of
from transforms.sources.files.lines import lines
from transforms.wire.raw import DEFAULT, Bad
from transforms.wire.values import FIRST, LAST, to_ms

AT_ONCE: Final = 500
"""Lines that are read at once, at most: other work of the host waits meanwhile."""
HEARTBEAT: Final = "heartbeat"


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line: its ingestion time (ms), its text, and its place. A heartbeat has no text."""

    at: int
    body: bytes
    file: str
    number: int
    heartbeat: bool = False


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """How far a folder was read: a file and its lines so far, the newest time, and finished files.

    Hosts store it; a stored field never changes.
    """

    file: str = ""
    number: int = 0
    at: int = 0
    finished: tuple[str, ...] = ()


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Progress).decode


class _Times(msgspec.Struct, rename="camel", gc=False):
    type: str = ""
    timestamp: datetime | int | None = None
    received_at: datetime | int | None = None


_times = msgspec.json.Decoder(_Times).decode


class Monitored:
    """Reads a folder by and by; the caller keeps the progress.

    ``latest`` returns the latest time that a line may have, in ms: one wrong time would move the time of
    all users.
    """

    def __init__(self, folder: Path, latest: Callable[[], int] = lambda: LAST) -> None:
        self._folder = folder
        self._latest = latest
        self._open: tuple[str, int, Iterator[tuple[int, bytes] | Bad]] | None = None

    def read(self, progress: Progress) -> tuple[list[Line], Progress]:
        """Read some lines after those of ``progress``; none if there are no more at present.

        Raises OSError if the folder or a file cannot be read.
        """
        while True:
            name = progress.file or self._next(progress)
            if not name:
                return [], progress
            found, number = self._lines(name, progress)
            at = max([progress.at, *(line.at for line in found)])
            if number is not None:
                return found, msgspec.structs.replace(progress, file=name, number=number, at=at)
            finished = tuple(sorted({*progress.finished, name} & set(self._names())))
            progress = Progress(at=at, finished=finished)
            if found:
                return found, progress

    def _names(self) -> list[str]:
        """List the files by name."""
        found = (path for path in self._folder.iterdir() if not path.name.startswith((".", "_")))
        return sorted(path.name for path in found if source_of(path) is json_lines)

    def _next(self, progress: Progress) -> str:
        finished = set(progress.finished)
        return next((name for name in self._names() if name not in finished), "")

    def _lines(self, name: str, progress: Progress) -> tuple[list[Line], int | None]:
        """Read some lines of a file; with how many have been read, None at its end."""
        number, at = progress.number, progress.at
        if self._open is None or self._open[:2] != (name, number):
            path = self._folder / name
            if not path.exists():  # it was removed: nothing of it can be read
                return [], None
            self._open = (name, number, islice(lines(path, DEFAULT), number, None))
        found: list[Line] = []
        latest = self._latest()
        for item in islice(self._open[2], AT_ONCE):
            number += 1
            if isinstance(item, Bad) and item.reason == "unreadable":
                raise OSError(f"{name}, line {item.line}: {item.detail}")
            body = b"" if isinstance(item, Bad) else item[1]
            line = _line(name, number, body, at, latest)
            at = max(at, line.at)
            if line.body.strip() or line.heartbeat or isinstance(item, Bad):
                found.append(line)
        if number == progress.number:
            self._open = None
            return found, None
        self._open = (name, number, self._open[2])
        return found, number


def _line(file: str, number: int, body: bytes, before: int, latest: int) -> Line:
    """Return a line with its ingestion time: if it has none that of the event, else the newest before.

    A time before 1970 or later than ``latest`` counts as none.
    """
    try:
        times = _times(body)
    except (ValueError, RecursionError):  # it becomes a dead letter later
        return Line(before, body, file, number)
    moment = times.timestamp if times.received_at is None else times.received_at
    at = before if moment is None else moment if isinstance(moment, int) else to_ms(moment)
    if not FIRST <= at <= latest:
        at = before
    if times.type == HEARTBEAT:
        return Line(at, b"", file, number, heartbeat=True)
    return Line(at, body, file, number)
