"""The progress of a replay: live on a terminal, otherwise a line per interval."""

from __future__ import annotations

import io

import pytest

from towpath.cli import progress
from towpath.cli.progress import ReplayProgress


class Terminal(io.StringIO):
    """A text stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_lines_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal a line is printed at most once per interval."""
    stream, clock = io.StringIO(), iter([0.0, 1.0, 11.0, 12.0, 25.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))

    with ReplayProgress(records=5_000, stream=stream) as shown:
        for done in (1_000, 2_000, 3_000):
            shown.update("read", done)
        shown.update("users", 7)

    assert stream.getvalue() == (
        "2,000 of about 5,000 records read, 11 s\n7 users replayed, 25 s\n"
    )


def test_live_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the counts are shown live, and the display is removed at the end."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()

    with ReplayProgress(records=5_000, stream=stream) as shown:
        shown.update("read", 6_000)
        shown.update("users", 7)

    assert "6,000 records read" in stream.getvalue()
    assert "7 users replayed" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")
