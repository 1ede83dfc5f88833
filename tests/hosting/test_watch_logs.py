"""A control log that is incomplete, or cannot be followed, is seen by space."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.followed import refreshed
from tests.kit.reminders import LINES, SPACE, TEN
from transforms.flows.protocol import control_records
from transforms.hosting import sandbox
from transforms.hosting.catalogs import Catalogs, FixedLogs, FollowedLogs
from transforms.hosting.job_metrics import LATE_LOG
from transforms.hosting.watch_logs import LogHealth, LogWatch, health

STOP = control_records.Stop(sequence=99, effective_at=TEN, flow="remind")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log that is complete until a second before ten o'clock."""
    path = tmp_path / "control.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in LINES))
    path.with_name("control.jsonl.complete").write_text(str(TEN - 1_000))
    return path


def of(catalogs: Catalogs, now: int) -> LogHealth:
    (found,) = health(catalogs, now)
    return found


def test_a_stop_that_nobody_declares_complete_is_seen(log: Path) -> None:
    """Workers have read the stop, and the log is late: its writer has died."""
    with log.open("ab") as file:
        file.write(control_records.encode_line(STOP) + b"\n")
    logs = FollowedLogs({SPACE: str(log)}, every=3600)

    assert of(logs, TEN) == LogHealth(SPACE, 99, 1_000, trouble=False)
    assert not of(logs, TEN).late
    assert of(logs, TEN + LATE_LOG).late


def test_a_record_that_comes_too_late_is_trouble(log: Path) -> None:
    """A record that is effective in the complete part of the log is not followed, and seen."""
    logs = FollowedLogs({SPACE: str(log)}, every=3600)
    before = of(logs, TEN)
    log.with_name("control.jsonl.complete").write_text(str(TEN + 1_000))
    refreshed(logs, SPACE)
    with log.open("ab") as file:
        file.write(control_records.encode_line(STOP) + b"\n")
    refreshed(logs, SPACE)

    assert before.trouble is False
    assert of(logs, TEN) == LogHealth(SPACE, before.sequence, 0, trouble=True)


def test_a_log_that_was_never_declared_complete_is_late(tmp_path: Path) -> None:
    """A log that does not exist has no lag, but is late and in trouble."""
    logs = FollowedLogs({SPACE: str(tmp_path / "nothing.jsonl")}, every=3600)

    assert of(logs, TEN) == LogHealth(SPACE, None, None, trouble=True)
    assert of(logs, TEN).late


def test_a_space_that_cannot_run_here_does_not_hide_the_others() -> None:
    """A space whose code needs a sandbox that is missing is in trouble; the others are checked."""

    class Logs(FixedLogs):
        def of(self, space: str) -> object:  # type: ignore[override]
            if space == "a":
                raise sandbox.MissingSandbox("no sandbox")
            return super().of(space)

    found = list(health(Logs({"a": LINES, "b": LINES}), TEN))
    assert [(one.space, one.trouble, one.late) for one in found] == [
        ("a", True, True),
        ("b", False, False),
    ]


def test_logs_are_checked_once_a_second() -> None:
    """However many bundles end, the logs are checked once a second."""
    watch, clock = LogWatch(), iter((10.0, 10.0, 10.5, 11.0, 11.0))

    assert [watch.due(lambda: next(clock)) for _ in range(3)] == [True, False, True]
