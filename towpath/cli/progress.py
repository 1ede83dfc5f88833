"""Progress of a replay on stderr: live on a terminal, otherwise a line every ten seconds."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

INTERVAL = 10.0
LABELS = {
    "read": "records read",
    "users": "users replayed",
    "states": "records read",
}


class ReplayProgress:
    """Shows how much is done, by phase; a phase with a total also has a bar."""

    def __init__(self, records: int = 0, stream: TextIO | None = None) -> None:
        """Begin; ``records`` is the expected number of records."""
        self.stream = stream or sys.stderr
        self.totals = {"read": records} if records else {}
        self.live = _live(self.stream) if self.stream.isatty() else None
        self.tasks: dict[str, TaskID] = {}
        self.started = self.printed = monotonic()

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        """Show that ``done`` pieces of a phase are finished."""
        total = total or self.totals.get(phase)
        if self.live is None:
            self._print(phase, done, total)
            return
        if phase not in self.tasks:
            self.tasks[phase] = self.live.add_task(LABELS[phase])
        whole = None if total is None else max(done, total)
        self.live.update(self.tasks[phase], completed=done, total=whole)

    def _print(self, phase: str, done: int, total: int | None) -> None:
        now = monotonic()
        if now - self.printed >= INTERVAL:
            self.printed = now
            share = f" of about {max(done, total):,}" if total else ""
            seconds = now - self.started
            self.stream.write(f"{done:,}{share} {LABELS[phase]}, {seconds:.0f} s\n")

    def __enter__(self) -> ReplayProgress:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()


def _live(stream: TextIO) -> Progress:
    """Build the live display. Rich is imported here: other commands do not need it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.completed:,.0f} {task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(file=stream),
        transient=True,
    )
