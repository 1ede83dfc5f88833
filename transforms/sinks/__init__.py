"""Where outputs go: one module a sink behind one dict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from transforms.flows.diagnostics import suggest
from transforms.sinks.checked import Wrote
from transforms.wire.rows import Record


class Sink(Protocol):
    """A place for outputs; each comes with its space.

    The same output again changes nothing that a reader sees, in whatever order and batches
    outputs come (R31). One that cannot be written is left out and reported; the others are
    written. When a method raises, nothing since the last ``flush`` may be taken as done, and
    all of it may be written again.
    """

    def write(self, outputs: Iterable[tuple[str, Record]]) -> Wrote:
        """Take outputs; they are out at the latest when ``flush`` has returned."""

    def flush(self) -> None:
        """Return when all that was taken is where readers find it."""

    def close(self) -> None:
        """Flush, and let go of connections; a sink that is closed takes nothing more."""


def _files(address: str, **options: Any) -> Sink:
    """Open ``files:FOLDER``; ``window`` is the seconds of a file."""
    from transforms.sinks import files, folders

    return folders.Folder(files, _place(address), **options)


def _parquet(address: str, **options: Any) -> Sink:
    """Open ``parquet:FOLDER``; ``window`` is the seconds of a file."""
    from transforms.sinks import folders, parquet

    return folders.Folder(parquet, _place(address), **options)


def _pubsub(address: str, **options: Any) -> Sink:
    """Open ``pubsub:projects/P/topics/PREFIX``; options are ``encoding`` and ``ordered``."""
    with _extra("pubsub"):
        from transforms.sinks import pubsub

    return pubsub.open_sink(_place(address), **options)


def _redis(address: str, **options: Any) -> Sink:
    """Open ``redis://…``, which keeps flow states; ``ttl`` in ms ends those without sessions."""
    with _extra("redis"):
        from transforms.sinks import redis

    return redis.open_states(address, **options)


SINKS: dict[str, Callable[..., Sink]] = {
    "files": _files,
    "parquet": _parquet,
    "pubsub": _pubsub,
    "redis": _redis,
    "rediss": _redis,
}
"""What opens a sink, by the word that its address begins with."""


def open_sink(address: str, **options: Any) -> Sink:
    """Open the sink at an address, for example ``parquet:out`` or ``redis://localhost:6379/0``.

    Raises ValueError for an address that leads nowhere, ImportError with the extra to install.
    """
    name, colon, place = address.partition(":")
    if not colon or name not in SINKS:
        raise ValueError(f'no sink is called "{name}"; {suggest(name, SINKS)}')
    if not place:
        raise ValueError(f'"{address}" does not say where')
    return SINKS[name](address, **options)


def _place(address: str) -> str:
    return address.partition(":")[2]


@contextmanager
def _extra(name: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{error}; pip install 'towpath[{name}]'") from error
