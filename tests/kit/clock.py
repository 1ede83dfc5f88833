"""Clocks for tests: time advances only when a test says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

Clock = Callable[[], int]


def system_clock() -> int:
    """Read the machine's clock, ms since 1970."""
    return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that advances only by ``advance``; safe to share between threads."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            return self._now

    def advance(self, ms: int) -> int:
        """Move the clock; a negative ``ms`` sets it back."""
        with self._lock:
            self._now += ms
            return self._now
