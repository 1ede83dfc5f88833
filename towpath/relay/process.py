"""The process of a relay: how it is ended, and its lines of counts."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from towpath.cli import common

LOG = logging.getLogger(__name__)
GRACE = 20.0
"""How long a relay that is ended waits for what it has sent, in seconds."""
PAUSE = 1.0
"""Pause before something is sent again, in seconds."""
SPACE = "default"
"""The space of a record that does not say its own."""
LOG_SECONDS = 60.0
TIMES = ("watermark",)
_NEXT: dict[str, float] = {}


class Unconfirmed(Exception):
    """The relay was ended before all it has read was confirmed; that is read again."""


class Counts(msgspec.Struct, gc=False):
    """What a relay has done since its start."""

    @property
    def left_out(self) -> int:
        """How many records it could not write, and left out."""
        return 0


class Reader(Protocol):
    """What a relay reads from."""

    def close(self) -> None:
        """Stop reading."""


class Relay(Protocol):
    """A relay that runs until its process is ended."""

    counts: Any

    def run(self) -> None:
        """Relay. Raises Unconfirmed."""


class Reports:
    """Writes counts: a line every ``every`` seconds, and one at the end.

    Text goes to stderr, JSON to stdout.
    """

    def __init__(
        self, every: float, as_json: bool, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._every, self._as_json, self._now = every, as_json, now
        self._next = now() + every

    def tick(self, counts: Counts) -> None:
        """Write a line if one is due."""
        if self._now() >= self._next:
            self.write(counts)

    def write(self, counts: Counts) -> None:
        """Write a line."""
        self._next = self._now() + self._every
        said: dict[str, Any] = msgspec.structs.asdict(counts)
        for name in TIMES:
            if said.get(name) is not None:
                at = datetime.fromtimestamp(said[name] / 1000, UTC)
                said[name] = at.isoformat(timespec="milliseconds")
        if self._as_json:
            common.print_json(said)
            sys.stdout.flush()
        else:
            common.say(", ".join(_text(name, value) for name, value in said.items()))

    @contextmanager
    def last(self, reader: Reader, counts: Counts) -> Iterator[None]:
        """Close what was read in any case, then write the last line."""
        try:
            yield
        finally:
            reader.close()
            self.write(counts)


def _text(name: str, value: Any) -> str:
    word = name.replace("_", " ")
    return f"{value:,} {word}" if isinstance(value, int) else f"{word} {value or '-'}"


def warn(text: str) -> None:
    """Log a trouble that passes, the same one at most once a minute: it comes again and again."""
    if time.monotonic() >= _NEXT.get(text, 0.0):
        _NEXT[text] = time.monotonic() + LOG_SECONDS
        LOG.warning("%s", text)


def ended_by_system() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    return stopped
