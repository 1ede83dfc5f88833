"""A relay as its own process, by its command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tests.kit.timeouts import PATIENCE


class RelayProcess:
    """``towpath relay`` with these words; its counts are written often, so that a test can wait for them."""

    def __init__(self, folder: Path, *words: str | Path, **env: str) -> None:
        number = len([*folder.glob("relay-*.out")])
        self._out, self._err = folder / f"relay-{number}.out", folder / f"relay-{number}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "towpath.cli.main", "relay", *words, "--json", "--status", "0.1"],
                stdout=out, stderr=err, env=os.environ | env,
            )  # fmt: skip

    @property
    def talk(self) -> str:
        """What it wrote to stderr."""
        return self._err.read_text("utf-8", "replace")

    @property
    def counts(self) -> dict[str, Any]:
        """The newest counts; empty before the first ones."""
        whole = self._out.read_bytes().rpartition(b"\n")[0]
        return msgspec.json.decode(whole.rpartition(b"\n")[2]) if whole else {}

    def wait(self, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the counts satisfy a condition."""
        end = time.monotonic() + PATIENCE
        while not ((counts := self.counts) and done(counts)):
            assert self.process.poll() is None, self.talk
            assert time.monotonic() < end, f"{counts} {self.talk}"
            time.sleep(0.05)
        return counts

    def kill(self) -> None:
        """End the process at once, like a crash."""
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Ask the process to end; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> RelayProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
