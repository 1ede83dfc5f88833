"""Progress of a replay within one process: counts by phase."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class Progress:
    """Counts by phase, for one listener; it has no cost without a listener.

    Workers in other processes do not report.
    """

    def __init__(self) -> None:
        self.listener: Callable[[str, int], None] | None = None
        self._counts: dict[str, int] = {}
        self._lock = Lock()

    def start(self, listener: Callable[[str, int], None] | None) -> None:
        """Start from zero; the listener gets the phase and its total so far."""
        self.listener = listener
        self._counts = {}

    def add(self, name: str, count: int) -> None:
        """Add to the count of a phase."""
        listener = self.listener
        if listener is None or not count:
            return
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + count
            listener(name, self._counts[name])


PROGRESS = Progress()
