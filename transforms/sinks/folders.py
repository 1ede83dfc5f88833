"""Outputs in local folders: a table per space and kind, a file per window, and a manifest.

A file holds all rows of its window, and its name is a hash of them, so the same rows give the same
files in any order, repetition and partition. Readers ignore files that the manifest does not name,
such as those of a crash. Replacing files needs a lock, so this sink works on one machine only.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import chain
from pathlib import Path, PurePath
from typing import Protocol
from urllib.parse import quote

import schemas
from transforms.sinks.checked import Refused, Wrote, fitting
from transforms.sinks.part_files import By, Part, Place, Written, finish, parts_of
from transforms.sinks.remote import Remote, place_of
from transforms.wire.rows import Record, Row, canonical, from_row, name_of, to_row

WINDOW = 600
"""The default window of a file, in seconds."""
LOCK = ".lock"

Table = tuple[str, str]
"""A space and a kind of row."""

WHOLE = ("handover", "forwarded", "state_export")
"""Kinds without a table in a streaming job: they hold whole states."""
TO_TABLES = tuple(kind for kind in schemas.OUTPUTS if kind not in WHOLE)


class Format(Protocol):
    """A module that writes and reads files of rows of one kind.

    Writing the same rows gives the same files. A row that does not fit its schema is reported; the
    others are written. All rows of a call are held in memory. With a ``shard``, files are named by
    it, and writing that shard again replaces them.
    """

    def write(
        self, kind: str, rows: Iterable[Row], folder: Place, *, by: By = "day", shard: str = ""
    ) -> Written:
        """Write rows of the schema ``kind`` below ``folder/kind``; call ``finish`` afterwards."""

    def read(self, path: Path) -> list[Row]:
        """Read the rows of a file."""


class Folder:
    """A sink that holds outputs in memory until ``flush`` writes the files of their windows."""

    def __init__(self, form: Format, out: str | Path, window: int = WINDOW) -> None:
        place = place_of(out)
        if isinstance(place, Remote):
            raise ValueError(f"{place}: this sink writes to local folders only")
        self._format = form
        self._out = place
        self._window = window * 1000
        self._tables: dict[Table, list[Row]] = {}
        self._replaced: list[Path] = []

    def write(self, outputs: Iterable[tuple[str, Record]]) -> Wrote:
        """Accept outputs of any kind."""
        refused, count = Refused(), 0
        for space, output in fitting(outputs, refused):
            self._tables.setdefault((space, name_of(output)), []).append(to_row(output))
            count += 1
        return refused.wrote(count)

    def flush(self) -> None:
        """Write the files of all windows with new rows, then the manifests.

        Files that these replace are removed by the next flush: somebody may still read them.
        """
        done, self._replaced = self._replaced, []
        for (space, kind), rows in self._tables.items():
            self._replaced += self._add(kind, self._out / quote(space, safe=""), rows)
        self._tables = {}
        for path in done:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        self.flush()

    def _add(self, kind: str, folder: Path, rows: list[Row]) -> list[Path]:
        """Add rows to a table; return the files that were replaced."""
        time = schemas.load(kind)["time"]
        windows: dict[int, list[Row]] = {}
        for row in rows:
            windows.setdefault(row[time] // self._window * self._window, []).append(row)
        with locked(folder / kind):
            held = {part.path: part for part in parts_of(kind, folder)}
            before = set(held)
            for start, new in sorted(windows.items()):
                old = [path for path in held if _starts(path, start)]
                known = [self._read(kind, folder / kind / path) for path in old]
                for path in old:
                    del held[path]
                every = chain(new, *known)
                held |= {part.path: part for part in self._file(kind, folder, start, every)}
            finish(kind, folder, [Written(tuple(held.values()))])
        return [folder / kind / path for path in sorted(before - held.keys())]

    def _read(self, kind: str, path: Path) -> list[Row]:
        return [to_row(from_row(kind, row)) for row in self._format.read(path)]

    def _file(self, kind: str, folder: Path, start: int, rows: Iterable[Row]) -> tuple[Part, ...]:
        unique = {canonical(row): row for row in rows}
        shard = shard_of(start, unique)
        return self._format.write(kind, unique.values(), folder, shard=shard).parts


def folder_of(out: str | Path, space: str) -> Place:
    """Return the folder of a space's tables, below a path or an address."""
    return place_of(out) / quote(space, safe="")


def shard_of(start: int, rows: Iterable[bytes]) -> str:
    """Name a file by the start of its window (ms) and a hash of its rows, in any order."""
    digest = blake2b(digest_size=8)
    for row in sorted(rows):
        digest.update(blake2b(row, digest_size=16).digest())
    return f"{start}-{digest.hexdigest()}"


def _starts(path: str, start: int) -> bool:
    return PurePath(path).name.startswith(f"part-{start}-")


@contextmanager
def locked(table: Path) -> Iterator[None]:
    """Lock a table on this machine while its manifest is read and written."""
    table.mkdir(parents=True, exist_ok=True)
    with (table / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
