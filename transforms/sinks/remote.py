"""Files in an object store, such as ``gs://bucket/tables``: the part of ``Path`` that tables need.

Arrow opens the stores (``gs``, ``s3``, ``abfs``, ``hdfs``) and finds the credentials; it reads
options after ``?`` in an address, such as an endpoint. Files are written atomically.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import msgspec

LOCAL = "file"
WHOLE = frozenset(("gcs", "s3", "abfs"))
"""Stores (Arrow's names) where an upload is atomic."""


class Remote(msgspec.Struct, frozen=True, gc=False):
    """A file or folder: an address and the names below it."""

    address: str
    below: tuple[str, ...] = ()

    def __truediv__(self, name: str) -> Remote:
        return Remote(self.address, (*self.below, *name.split("/")))

    def __str__(self) -> str:
        return "/".join((self.address.partition("?")[0].rstrip("/"), *self.below))

    @property
    def name(self) -> str:
        """The last name."""
        return self.below[-1]

    @property
    def parent(self) -> Remote:
        """The containing folder."""
        return Remote(self.address, self.below[:-1])

    def exists(self) -> bool:
        """Return True if the file exists."""
        store, path = self._found()
        return bool(store.get_file_info(path).is_file)

    def read_bytes(self) -> bytes:
        """Read the file."""
        store, path = self._found()
        with store.open_input_stream(path, compression=None) as file:
            return bytes(file.read())

    def write_whole(self, data: bytes) -> None:
        """Write or replace the file atomically."""
        store, path = self._found()
        if store.type_name in WHOLE:
            _write(store, path, data)
            return
        folder, _, name = path.rpartition("/")
        store.create_dir(folder, recursive=True)
        partly = f"{folder}/.{name}-{uuid4().hex}"
        _write(store, partly, data)
        store.move(partly, path)

    def files(self) -> Iterator[Remote]:
        """List the files of the folder, without hidden ones; empty if it does not exist."""
        for found, is_folder, _ in self.entries():
            if not is_folder and not found.name.startswith("."):
                yield found

    def entries(self) -> Iterator[tuple[Remote, bool, int]]:
        """List files and folders: each, whether it is a folder, and when it was written (ms)."""
        from pyarrow import fs

        store, path = self._found()
        for info in store.get_file_info(fs.FileSelector(path, allow_not_found=True)):
            yield self / info.base_name, not info.is_file, (info.mtime_ns or 0) // 1_000_000

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file."""
        store, path = self._found()
        try:
            store.delete_file(path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def _found(self) -> tuple[Any, str]:
        with _OPENING:
            store, base = _open(self.address)
        return store, "/".join(part for part in (base.rstrip("/"), *self.below) if part)


def _write(store: Any, path: str, data: bytes) -> None:
    with store.open_output_stream(path, compression=None) as file:
        file.write(data)


_OPENING = threading.Lock()


@cache
def _open(address: str) -> tuple[Any, str]:
    """Connect once in a process."""
    import pyarrow as pa
    from pyarrow import fs

    try:
        store, path = fs.FileSystem.from_uri(address)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f'cannot write to "{address}": {error}') from None
    return store, str(path)


def place_of(address: str | Path) -> Path | Remote:
    """Return the folder at a path, a ``file://`` address or a store's address, without opening it."""
    text = str(address)
    if isinstance(address, Path) or "://" not in text:
        return Path(address)
    parts = urlsplit(text)
    return Path(unquote(parts.path)) if parts.scheme == LOCAL else Remote(text)
