"""A control log in a file, with ``complete_until`` in a second file, as workers read it.

Writers on one machine take turns by a lock on a third file, whose name ends with ``.lock``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from towpath.control.store import Conflict, Held, refuse
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol.control_records import ControlRecord, decode_line, encode_line
from transforms.sources.control_log.log import ENDING, NOTHING, LogError, TextLog, file_log

LOCK = ".lock"


class FileStore:
    """A log in a file of this machine."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._until = Path(path + ENDING)
        self._log = file_log(path)

    def read(self) -> Held:
        with _explained():
            return self._read()

    def append(self, held: Held, records: Sequence[ControlRecord]) -> Held:
        with _explained(), self._locked():
            now = self._read()
            if now.token != held.token:
                raise Conflict(f"{self._path} has other records by now")
            refuse(now, records, now.complete_until)
            if not self._path.exists():
                # First, or the new log would be complete forever.
                _replace(self._until, str(now.complete_until))
            self._write(b"".join(encode_line(record) + b"\n" for record in records))
            return self._read()

    def complete(self, held: Held, until: int) -> Held:
        with _explained(), self._locked():
            now = self._read()
            if now.complete_until != held.complete_until:
                raise Conflict(f"{self._path} is complete until {now.complete_until} by now")
            if until <= now.complete_until:
                return now
            _replace(self._until, str(until))
            self._path.touch()
            return self._read()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl  # not on Windows

        with Path(f"{self._path}{LOCK}").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _read(self) -> Held:
        # The instant first, as readers do: what is appended meanwhile is later than it.
        until = self._log.complete_until() if self._until.exists() else None
        if not self._path.exists():
            return Held((), NOTHING if until is None else until)
        if until is None and self._until.exists():  # its first writer has begun it meanwhile
            return self._read()
        text = _whole_lines(self._path.read_bytes())
        read = TextLog(str(self._path), {str(self._path): text}.get).read_since(None)
        token = blake2b(text, digest_size=16).hexdigest() if text else ""
        return Held(read.records, NEVER if until is None else until, token)

    def _write(self, lines: bytes) -> None:
        """Write lines at the end, in place of the half line of a writer that was interrupted."""
        text = self._path.read_bytes() if self._path.exists() else b""
        end = text.rfind(b"\n") + 1
        with self._path.open("ab") as file:
            file.truncate(end)
            try:
                file.write(_whole_lines(text)[end:] + lines)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise


def _whole_lines(text: bytes) -> bytes:
    """Return the lines that are records, each with its end; a half last line is left out."""
    lines, last = text[: text.rfind(b"\n") + 1], text[text.rfind(b"\n") + 1 :]
    try:
        decode_line(last)
    except (ValueError, RecursionError):
        return lines
    return lines + last + b"\n"


def _replace(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise LogError(f"{name}{(error.strerror or str(error)).lower()}") from None
