"""The folder of a replay's results: one replay at a time, and nothing left of a killed one."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.replay.results import ACCOUNT
from towpath.cli import common
from towpath.replay.shards import SHARDS
from transforms.sinks.part_files import UNFINISHED


def checked_folder(out: Path) -> Path:
    """Return the folder if it is new, empty, or has the results of an earlier replay."""
    if out.exists() and not out.is_dir():
        raise common.UserError(f"{out} is not a folder")
    if out.is_dir() and not (out / ACCOUNT).exists() and any(map(_is_other, out.iterdir())):
        raise common.UserError(f"{out} is not empty and not the results folder of a replay")
    return out


def _is_other(path: Path) -> bool:
    return not path.name.startswith((SHARDS, UNFINISHED))


@contextmanager
def held_folder(out: Path) -> Iterator[None]:
    """Lock the folder against other replays, and remove what a killed replay left in it.

    The lock is on the folder itself and ends with the process, however it ends.
    """
    out.mkdir(parents=True, exist_ok=True)
    handle = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(handle, out)
        for path in out.glob(f"{SHARDS}*"):
            shutil.rmtree(path)
        for path in out.rglob(f"{UNFINISHED}*"):
            path.unlink()
        yield
    finally:
        os.close(handle)


def _lock(handle: int, out: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = f"{out}: another replay is writing here; wait for it, or choose another folder"
        raise common.UserError(message, code=1) from None
    except OSError:  # a file system without locks
        pass
