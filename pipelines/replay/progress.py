"""How far a replay is, for whoever runs in the same process: counts by name, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class Progress:
    """Counts what is done and tells a listener; without one it costs next to nothing.

    Workers in other processes count for themselves and are not heard.
    """

    def __init__(self) -> None:
        self.listener: Callable[[str, int], None] | None = None
        self._counts: dict[str, int] = {}
        self._lock = Lock()

    def start(self, listener: Callable[[str, int], None] | None) -> None:
        """Begin from zero; the listener gets a name and the sum so far."""
        self.listener = listener
        self._counts = {}

    def add(self, name: str, count: int) -> None:
        """Count something done."""
        listener = self.listener
        if listener is None or not count:
            return
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + count
            listener(name, self._counts[name])


PROGRESS = Progress()
