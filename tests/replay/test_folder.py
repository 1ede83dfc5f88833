"""The folder of a replay: one replay at a time, leftovers, permissions, and disks that fail."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.replay import kit

SHARDS = ["--shards", 1]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Write some signups."""
    found = [r for n in range(50) for r in kit.life(f"u{n}", 10 * n)]
    return kit.write_lines(tmp_path / "events.jsonl", found)


def test_two_replays_cannot_write_to_one_folder(events: Path, tmp_path: Path) -> None:
    """A replay into a folder that another one holds is refused and changes nothing there."""
    out = tmp_path / "out"
    assert kit.replay(out, events, more=SHARDS).code == 0
    before = (out / "replay.json").stat().st_mtime_ns
    handle = os.open(out, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    refused = kit.replay(out, events, more=SHARDS)
    os.close(handle)

    assert refused.code == 1
    assert f"{out}: another replay is writing here" in refused.err
    assert (out / "replay.json").stat().st_mtime_ns == before
    assert kit.replay(out, events, more=SHARDS).code == 0


@pytest.mark.parametrize("more", [SHARDS, []])
def test_leftovers_of_a_killed_replay_are_removed(
    more: list[object], events: Path, tmp_path: Path
) -> None:
    """Shards and unfinished files, which hold users' data, are gone after the next replay."""
    out = tmp_path / "out"
    left = [out / ".shards-abc" / "00001-00000", out / "message" / "bucket=01" / ".part-77"]
    left.append(out / ".part-0123")
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("u1")
    (out / "replay.json").write_text('{"state": "running"}\n')

    assert kit.replay(out, events, more=more).code == 0
    assert [path for path in left if path.exists()] == []
    assert not list(out.glob(".*"))


def test_leftovers_alone_are_no_other_files(events: Path, tmp_path: Path) -> None:
    """A folder in which a replay was killed before its first file is a folder for results."""
    out = tmp_path / "out"
    (out / ".shards-abc").mkdir(parents=True)
    (out / ".part-0123").touch()

    assert kit.replay(out, events, more=SHARDS).code == 0


@pytest.mark.parametrize("umask", [0o027, 0o077, 0o002])
def test_files_respect_the_umask(umask: int, events: Path, tmp_path: Path) -> None:
    """All files of the results have the permissions that the user's umask gives."""
    out, before = tmp_path / "out", os.umask(umask)
    try:
        kit.replay(out, events, more=SHARDS)
    finally:
        os.umask(before)
    files = [path for path in out.rglob("*") if path.is_file()]

    assert {path.stat().st_mode & 0o777 for path in files} == {0o666 & ~umask}


@pytest.mark.slow
@pytest.mark.parametrize("more", [SHARDS, []])
def test_a_full_disk_is_no_unexpected_error(
    more: list[object], events: Path, tmp_path: Path
) -> None:
    """If the results cannot be written, the reason is shown with exit code 1, and no shard is left."""
    out = tmp_path / "out"
    words = ["replay", kit.WELCOME, "--events", events, "--until", kit.UNTIL, "--out", out, *more]
    command = [sys.executable, "-m", "towpath.cli.main", *map(str, words)]
    limited = ["bash", "-c", 'ulimit -f 1; exec "$@"', "bash", *command]
    done = subprocess.run(limited, capture_output=True, text=True)

    assert done.returncode == 1, done.stderr
    assert "file too large" in done.stderr.lower()
    assert "unexpected" not in done.stderr
    assert not [path for path in out.rglob(".*") if path.is_file()]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), OSError(30, "Read-only")]
)
def test_an_error_of_the_file_system_with_shards(
    error: OSError, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or a read-only folder is an error of the user's machine: exit code 1."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("towpath.replay.shards._split", fail)
    done = kit.replay(tmp_path / "out", events, more=SHARDS)

    assert done.code == 1
    assert f"error: {error.strerror.lower()}" in done.err
