"""How far a replay is: one line that changes on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TextIO

OFTEN, SELDOM = 0.2, 10.0
WORDS = {"read": "records read", "users": "users folded", "fold": "of the users folded"}


class Telling:
    """Tells counts on stderr, not more often than one can read."""

    def __init__(self, stream: TextIO | None = None, whole: int = 0) -> None:
        # What stderr is now: one that was there when this module was loaded may be closed.
        self.stream = stream or sys.stderr
        self.whole = whole
        self.live = self.stream.isatty()
        self.begun = self.told = monotonic()

    def count(self, name: str, done: int) -> None:
        """Tell of a count so far."""
        share = f" of about {max(done, self.whole):,}" if name == "read" and self.whole else ""
        self._tell(f"{done:,}{share} {WORDS[name]}", name)

    def share(self, name: str, done: int, whole: int) -> None:
        """Tell of pieces done, of all pieces."""
        self._tell(
            f"{done / whole:.0%} {'of the input read' if name == 'read' else WORDS[name]}", name
        )

    def end(self) -> None:
        """Leave the line."""
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def _tell(self, text: str, name: str) -> None:
        now = monotonic()
        if now - self.told < (OFTEN if self.live else SELDOM):
            return
        self.told = now
        if self.live:
            self.stream.write(f"\r\x1b[K{text}, {now - self.begun:.0f} s")
            self.stream.flush()
        else:
            self.stream.write(f"{text}, {now - self.begun:.0f} s\n")
