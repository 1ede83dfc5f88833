"""A real Flink cluster for tests: a JobManager and TaskManagers on loopback, each with one slot.

It has folders and ports of its own; its processes are ended by their ids.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.kit.timeouts import PATIENCE
from towpath.flink import client
from towpath.flink.environment import BUILT, Environment
from towpath.flink.errors import FlinkError
from towpath.flink.local_cluster import JOB_MANAGER, ZOOKEEPER, LocalCluster
from transforms.sinks.folders import locked

ENVIRONMENT = Environment(BUILT)
BUILD = Path("build")

# A slow machine is no failure, and tests read fresh metrics and statistics of checkpoints.
PATIENT = {
    "execution.checkpointing.interval": "2s",
    "rest.cache.checkpoint-statistics.timeout": "1 ms",
    "metrics.fetcher.update-interval": "200 ms",
    "heartbeat.timeout": 600_000,
    "pekko.ask.timeout": "10 min",
    "pekko.startup-timeout": "10 min",
}


def make_environment() -> None:
    """Install what a cluster and a broker need, with the project's own targets; others wait meanwhile."""
    with locked(BUILD):
        subprocess.run(["make", "--no-print-directory", "flink-env", "kafka-broker"], check=True)


def python() -> Path:
    """Return the Python of Flink's environment."""
    return ENVIRONMENT.python


def packages() -> Path:
    """Return the folder with the packages of Flink's environment."""
    return ENVIRONMENT.packages


def java() -> Path:
    """Return the Java of Flink's environment."""
    return ENVIRONMENT.java


class FlinkCluster:
    """A running cluster; ``folder`` has its checkpoints and logs.

    With ``available``, a JobManager that is started again takes over the jobs: ``kill("jobmanager")``,
    ``start("jobmanager")``. Without, they are forgotten.
    """

    def __init__(
        self,
        managers: int = 1,
        settings: Mapping[str, Any] | None = None,
        *,
        available: bool = False,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="towpath-flink-"))
        self.local = LocalCluster(self.folder, ENVIRONMENT)
        self.local.configure(given=PATIENT | dict(settings or {}), available=available)
        self.rest = self.local.rest.address
        try:
            if available:
                self.local.start(ZOOKEEPER)
            self.local.start(JOB_MANAGER)
            for number in range(managers):
                self.local.start(f"taskmanager-{number}")
            self._wait(self.local.complete)
        except BaseException:
            self.__exit__()
            raise

    def submit(self, *words: str | Path) -> str:
        """Submit a job, detached, by the words that follow ``flink run``; return its id."""
        try:
            return client.run(ENVIRONMENT, self.local.variables(), *words)
        except FlinkError as error:
            raise AssertionError(error.details) from None

    def get(self, path: str) -> Any:
        """Read from the JobManager's REST interface."""
        return self.local.rest.get(path)

    def check(self, job: str, faults: bool = False) -> None:
        """Raise AssertionError with the error of a job that has failed, or restarts without ``faults``."""
        state = self.local.rest.state(job)
        if state == "FAILED" or (state in ("RESTARTING", "FAILING") and not faults):
            raise AssertionError(f"{state}: {self.error(job)}")

    def places(self, job: str) -> set[str]:
        """Return the names of the TaskManagers on which a job runs."""
        return self.local.rest.places(job)

    def error(self, job: str) -> str:
        """Return the newest error of a job."""
        return self.local.rest.error(job)

    def cancel(self, job: str) -> None:
        """Cancel a job and wait for its end."""
        self.local.rest.cancel(job)

    def stop(self, job: str) -> str:
        """Stop a job with a savepoint, without draining it; return where the savepoint is."""
        return self.local.rest.stop(job)

    def kill(self, name: str) -> None:
        """End a process at once: ``zookeeper``, ``jobmanager``, or ``taskmanager-`` and its number."""
        self.local.end(name, signal.SIGKILL)

    def start(self, name: str) -> None:
        """Start a process that was killed, and wait until the JobManager answers and knows it."""
        self.local.start(name)
        self._wait(self.local.complete)

    def add(self, number: int) -> None:
        """Start one more TaskManager."""
        self.start(f"taskmanager-{number}")

    def __enter__(self) -> FlinkCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.local.end_all(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for name in self.local.names():
                if not self.local.alive(name):
                    text = self.local.log(name).read_text("utf-8", "replace")
                    raise RuntimeError(f"{name} has ended: {text[-2000:]}")
            try:
                if done():
                    return
            except FlinkError:
                pass
            time.sleep(0.2)
        raise RuntimeError("the cluster does not answer")


class StartedCluster(FlinkCluster):
    """The cluster of a folder that the commands have started; they end it, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.local = LocalCluster(folder, ENVIRONMENT)
