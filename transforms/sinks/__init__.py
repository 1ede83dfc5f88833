"""Destinations of outputs: one module per sink."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from transforms.flows.diagnostics import suggest
from transforms.sinks.checked import Wrote
from transforms.wire.extras import needs
from transforms.wire.rows import Record


class Sink(Protocol):
    """A destination of outputs, each with its space.

    Writing is idempotent: repeated outputs, in any order and batches, change nothing that a reader
    sees (R31). An output that cannot be written is reported; the others are written. After an
    exception nothing since the last ``flush`` counts as written, and all of it may be repeated.
    """

    def write(self, outputs: Iterable[tuple[str, Record]]) -> Wrote:
        """Accept outputs; they are written when ``flush`` has returned."""

    def flush(self) -> None:
        """Return once readers can see all accepted outputs."""

    def close(self) -> None:
        """Flush and disconnect; a closed sink accepts nothing."""


def _files(address: str, **options: Any) -> Sink:
    """Open ``files:FOLDER``; ``window`` is the length of a file's window in seconds."""
    from transforms.sinks import files, folders

    return folders.Folder(files, _place(address), **options)


def _parquet(address: str, **options: Any) -> Sink:
    """Open ``parquet:FOLDER``; ``window`` is the length of a file's window in seconds."""
    from transforms.sinks import folders, parquet

    return folders.Folder(parquet, _place(address), **options)


def _pubsub(address: str, **options: Any) -> Sink:
    """Open ``pubsub:projects/P/topics/PREFIX``; options are ``encoding`` and ``ordered``."""
    with needs("pubsub"):
        from transforms.sinks import pubsub

    return pubsub.open_sink(_place(address), **options)


def _redis(address: str, **options: Any) -> Sink:
    """Open ``redis://…``, for flow states; those without sessions expire after ``ttl`` ms.

    ``epoch`` is the number of the writer's states.
    """
    with needs("redis"):
        from transforms.sinks import redis

    return redis.open_states(address, **options)


SINKS: dict[str, Callable[..., Sink]] = {
    "files": _files,
    "parquet": _parquet,
    "pubsub": _pubsub,
    "redis": _redis,
    "rediss": _redis,
}
"""How to open a sink, by the scheme of its address."""


def open_sink(address: str, **options: Any) -> Sink:
    """Open the sink at an address, for example ``parquet:out`` or ``redis://localhost:6379/0``.

    Raises ValueError for an invalid address, ImportError with the extra to install.
    """
    name, colon, place = address.partition(":")
    if not colon or name not in SINKS:
        raise ValueError(f'unknown sink "{name}"; {suggest(name, SINKS)}')
    if not place:
        raise ValueError(f'"{address}" lacks the place to write to')
    return SINKS[name](address, **options)


def _place(address: str) -> str:
    return address.partition(":")[2]
