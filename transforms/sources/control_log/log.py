"""The control log as a worker sees it: read again and again, never written.

``complete_until`` is read before the records: whatever is effective until then was appended
before it was said, so it is among the records read after it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol.control_records import ControlRecord, decode_line

ENDING = ".complete"
NOTHING = -1
"""Said of a log that is complete until no instant at all."""


class Read(msgspec.Struct, frozen=True, gc=False):
    """New records in the order of the log, and until when (ms UTC) none is missing."""

    records: tuple[ControlRecord, ...]
    complete_until: int


class ControlLog(Protocol):
    """A place where the log is kept."""

    def read_since(self, sequence: int | None) -> Read:
        """Read the records after a sequence, or all; raises LogError if it cannot be read."""


class LogError(Exception):
    """The log cannot be read now, or not at all; the message says where and why."""


class TextLog:
    """A log in one text, a record of JSON a line, and a small one beside it with the instant.

    ``load`` gives the bytes at a path, None where there is nothing. Without the small text
    (the path with ``.complete``) nobody appends: the log is complete for ever.
    """

    def __init__(self, path: str, load: Callable[[str], bytes | None]) -> None:
        self._path = path
        self._load = load

    def read_since(self, sequence: int | None) -> Read:
        until = self._until()
        text = self._load(self._path)
        if text is None:
            raise LogError(f"{self._path}: there is no control log")
        found = self._records(text)
        new = (r for r in found if sequence is None or r.sequence > sequence)
        return Read(tuple(sorted(new, key=lambda r: r.sequence)), until)

    def _until(self) -> int:
        said = self._load(self._path + ENDING)
        if said is None:
            return NEVER
        try:
            return int(said)
        except ValueError:
            raise LogError(f"{self._path}{ENDING}: it holds no number of milliseconds") from None

    def _records(self, text: bytes) -> list[ControlRecord]:
        found, lines = [], text.split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                found.append(decode_line(line))
            except (ValueError, RecursionError) as error:
                if number == len(lines):  # its end is still to be written
                    break
                detail = f"not a control record; {error}"
                raise LogError(f"{self._path}:{number}:1: {detail} [control]") from None
        return found


def file_log(address: str) -> ControlLog:
    """Read a file: a path, or ``file://`` and a path."""
    return TextLog(address.removeprefix("file://"), _load_file)


def _load_file(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def object_log(address: str) -> ControlLog:
    """Read an object through Beam's file systems: ``gs://bucket/name``, ``s3://…``."""
    return TextLog(address, _load_object)


def _load_object(address: str) -> bytes | None:
    from apache_beam.io.filesystem import BeamIOError, CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    try:
        if not FileSystems.exists(address):
            return None
        with FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            return bytes(file.read())
    except (BeamIOError, OSError, ValueError) as error:
        raise LogError(f"{address}: {error}") from None


def redis_log(address: str) -> ControlLog:
    """Read a stream in Redis: ``redis://host:port/db?space=NAME``."""
    from transforms.sources.control_log.redis import open_log

    return open_log(address)


LOGS: dict[str, Callable[[str], ControlLog]] = {
    "": file_log,
    "file": file_log,
    "gs": object_log,
    "s3": object_log,
    "redis": redis_log,
    "rediss": redis_log,
    "unix": redis_log,
}
"""What reads the log at an address, by its scheme."""


def log_of(address: str) -> ControlLog:
    """Choose the reader of an address; raises ValueError for a scheme that is not known."""
    scheme = urlsplit(address).scheme
    if scheme not in LOGS:
        known = ", ".join(f"{name}://" for name in LOGS if name)
        raise ValueError(f'no control log can be read from "{scheme}://"; known are {known}')
    return LOGS[scheme](address)
