"""The control log as a worker sees it: polled, never written.

``complete_until`` is read before the records: a record that is effective until then was appended
earlier, so it is among the records read afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec

from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol.control_records import ControlRecord, decode_line
from transforms.wire.extras import needs

T = TypeVar("T")

ENDING = ".complete"
NOTHING = -1
"""``complete_until`` of a log that is not complete at any instant."""


class Read(msgspec.Struct, frozen=True, gc=False):
    """New records in log order, and the instant (ms UTC) until which none is missing."""

    records: tuple[ControlRecord, ...]
    complete_until: int


class ControlLog(Protocol):
    """A store of a control log."""

    def read_since(self, sequence: int | None) -> Read:
        """Read the records after a sequence, or all of them. Raises LogError."""


class LogError(Exception):
    """The log cannot be read; the message says where and why."""


class TextLog:
    """A log in one JSON lines file, with ``complete_until`` in a second file beside it.

    ``load`` returns the bytes at a path, None if there are none. Without the second file (the
    path with ``.complete``) the log is complete forever: no record is appended.
    """

    def __init__(self, path: str, load: Callable[[str], bytes | None]) -> None:
        self._path = path
        self._load = load

    def read_since(self, sequence: int | None) -> Read:
        until = self.complete_until()
        text = self._load(self._path)
        if text is None:
            raise LogError(f"{self._path}: there is no control log")
        # Its first writer may have begun it meanwhile; later reads need not look twice.
        if sequence is None and until == NEVER and self.complete_until() != NEVER:
            return self.read_since(sequence)
        found = self._records(text)
        new = (r for r in found if sequence is None or r.sequence > sequence)
        return Read(tuple(sorted(new, key=lambda r: r.sequence)), until)

    def complete_until(self) -> int:
        """Return the instant until which the log is complete. Raises LogError."""
        said = self._load(self._path + ENDING)
        if said is None:
            return NEVER
        try:
            return int(said)
        except ValueError:
            raise LogError(f"{self._path}{ENDING}: it is not a number of milliseconds") from None

    def _records(self, text: bytes) -> list[ControlRecord]:
        found, lines = [], text.split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                found.append(decode_line(line))
            except (ValueError, RecursionError) as error:
                if number == len(lines):  # the writer has not finished it
                    break
                detail = f"not a control record; {error}"
                raise LogError(f"{self._path}:{number}:1: {detail} [control]") from None
        return found


def file_log(address: str) -> TextLog:
    """Open a log in a file: a path, with or without ``file://``."""
    return TextLog(address.removeprefix("file://"), _load_file)


def _load_file(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def object_log(address: str) -> ControlLog:
    """Open a log in one object of a store, through Beam: ``s3://bucket/name``."""
    return TextLog(address, _load_object)


def _load_object(address: str) -> bytes | None:
    with needs("beam"):
        from apache_beam.io.filesystem import BeamIOError, CompressionTypes
        from apache_beam.io.filesystems import FileSystems

    try:
        if not FileSystems.exists(address):
            return None
        with FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            return bytes(file.read())
    except (BeamIOError, OSError, ValueError) as error:
        raise LogError(f"{address}: {error}") from None


def gcs_log(address: str) -> ControlLog:
    """Open a log in Google Cloud Storage: ``gs://bucket/name``."""
    with needs("beam"):
        from transforms.sources.control_log.gcs import GcsLog

    return GcsLog(address)


def redis_log(address: str) -> ControlLog:
    """Open a log in a Redis stream: ``redis://host:port/db?space=NAME``."""
    with needs("redis"):
        from transforms.sources.control_log.redis import open_log

    return open_log(address)


LOGS: dict[str, Callable[[str], ControlLog]] = {
    "": file_log,
    "file": file_log,
    "gs": gcs_log,
    "s3": object_log,
    "redis": redis_log,
    "rediss": redis_log,
    "unix": redis_log,
}
"""How to open the log at an address, by its scheme."""


def log_of(address: str) -> ControlLog:
    """Open the log at an address. Raises ValueError for an unknown scheme."""
    return by_scheme(address, LOGS, "read a control log from")


def by_scheme(address: str, openers: Mapping[str, Callable[[str], T]], what: str) -> T:
    """Open an address by its scheme. Raises ValueError for an unknown one."""
    scheme = urlsplit(address).scheme
    if scheme not in openers:
        known = ", ".join(f"{name}://" for name in openers if name)
        raise ValueError(f'cannot {what} "{scheme}://"; supported: {known}')
    return openers[scheme](address)
