"""A Flink cluster on this machine: a JobManager, TaskManagers with one slot each, and perhaps a ZooKeeper.

Its processes outlive the one that started them. A folder has their ids, logs, checkpoints and savepoints;
only processes of this folder are ever ended, by their ids.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from towpath.flink import settings as config
from towpath.flink.environment import BUILT, Environment
from towpath.flink.errors import FlinkError, reason_of
from towpath.flink.rest import Rest

JOB_MANAGER, ZOOKEEPER, TASK_MANAGER = "jobmanager", "zookeeper", "taskmanager-"
RECORD = "cluster.json"
PAUSE = 0.1
PORTS = range(20_000, 30_000)
"""Below the ephemeral ports of Linux and macOS."""
_ASKED = count()


class Record(msgspec.Struct, frozen=True, gc=False):
    """What a folder remembers about its cluster.

    ``processes`` has a process id for each name, ``managers`` is how many TaskManagers there were when the
    cluster ended, ``settings`` are those that were given.
    """

    rest: str
    processes: dict[str, int] = {}
    environment: str = str(BUILT)
    settings: dict[str, Any] = {}
    managers: int = 0


class LocalCluster:
    """The cluster of a folder, which may be started, running or ended.

    Without an ``environment``, processes are started with the one of those before.
    """

    def __init__(self, folder: Path, environment: Environment | None = None) -> None:
        self.folder = folder.absolute()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, int] = {}
        before = self.record().environment if self.exists else str(BUILT)
        self.environment = environment or Environment(Path(before))

    @property
    def rest(self) -> Rest:
        """The REST interface of its JobManager."""
        return Rest(self.record().rest)

    @property
    def available(self) -> bool:
        """True if a new JobManager takes over the jobs of the last."""
        return (self._conf / "zoo.cfg").exists()

    @property
    def exists(self) -> bool:
        """True if the folder has a cluster, running or not."""
        return (self.folder / RECORD).exists()

    def configure(
        self, port: int = 0, given: Mapping[str, Any] | None = None, *, available: bool = False
    ) -> None:
        """Write the configuration; ``available`` lets a new JobManager take over the jobs of the last."""
        conf = self._conf
        conf.mkdir(parents=True, exist_ok=True)
        conf.chmod(0o700)  # settings may be secret
        for file in (self.environment.home / "conf").glob("log4j*.properties"):
            shutil.copy(file, conf)
        rest = port or free_port()
        made = config.local(self.folder, rest=rest, rpc=free_port())
        if available:
            keeper = free_port()
            (conf / "zoo.cfg").write_text(config.zookeeper(self.folder, keeper))
            made |= config.with_zookeeper(self.folder, keeper)
        else:
            (conf / "zoo.cfg").unlink(missing_ok=True)
        settings = dict(given or {})
        (conf / "config.yaml").write_text(config.to_yaml(made | settings))
        self._write(Record(f"http://127.0.0.1:{rest}", settings=settings))

    def start(self, name: str) -> None:
        """Start a process: ``zookeeper``, ``jobmanager``, or ``taskmanager-`` and a number."""
        self._started[name] = time.time_ns() // 1_000_000
        with self.log(name).open("wb") as log:
            child = subprocess.Popen(
                self._command(name), env=self.variables(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._children[name] = child
        self._change(
            processes=self.record().processes | {name: child.pid},
            environment=str(self.environment.folder.absolute()),
        )

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End a process and wait until it has ended; with SIGKILL it is like a crash."""
        processes = self.record().processes
        if self.alive(name):
            os.killpg(processes[name], how)
            while self.alive(name):
                time.sleep(PAUSE)
        self._children.pop(name, None)
        self._change(processes={k: pid for k, pid in processes.items() if k != name})

    def end_all(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End all processes: TaskManagers first, the ZooKeeper last."""
        managers = [name for name in self.names() if name.startswith(TASK_MANAGER)]
        self._change(managers=len(managers) or self.record().managers)
        for name in sorted(self.names(), key=_last_to_end):
            self.end(name, how)

    def restart(self, names: Sequence[str]) -> None:
        """End processes, start them again and wait until the JobManager knows the new ones."""
        for name in names:
            self.end(name)
            self.start(name)
        self.wait(names)

    def wait(self, names: Sequence[str] | None = None) -> None:
        """Wait until the JobManager knows some TaskManagers, or all; see ``complete``.

        Raises FlinkError if one of these processes, or of all, has ended.
        """
        while True:
            for name in self.names() if names is None else names:
                if not self.alive(name):
                    raise FlinkError(f"{name} has ended: {self._last_words(name)}")
            try:
                if self.complete(names):
                    return
            except FlinkError:  # a JobManager that has just started refuses questions
                pass
            time.sleep(PAUSE)

    def complete(self, names: Sequence[str] | None = None) -> bool:
        """Return True if the JobManager knows all TaskManagers, and those that were started here by a
        heartbeat since then: it may not have noticed yet that the process before has ended.

        With ``names``, only these count.
        """
        known = self.rest.managers()
        started = self.names() if names is None else names
        wanted = [name for name in started if name.startswith(TASK_MANAGER)]
        return all(known.get(name, -1) >= self._started.get(name, 0) for name in wanted)

    def names(self) -> list[str]:
        """Return the names of the processes that were started and not ended, alive or not."""
        return sorted(self.record().processes)

    def dead(self) -> list[str]:
        """Return the names of the processes that have ended by themselves."""
        return [name for name in self.names() if not self.alive(name)]

    def alive(self, name: str) -> bool:
        """Return True if a process runs."""
        pid = self.record().processes.get(name)
        if pid is None:
            return False
        child = self._children.get(name)
        if child is not None:
            return child.poll() is None
        return str(self.folder) in _command_line(pid)

    def log(self, name: str) -> Path:
        """Return the file with the log of a process."""
        return self.folder / f"{name}.log"

    def variables(self) -> Mapping[str, str]:
        """Return the environment variables of its processes and clients."""
        return self.environment.variables(self._conf, self.folder)

    def _last_words(self, name: str) -> str:
        """Return the last error in the log of a process, and where the log is."""
        path = self.log(name)
        lines = path.read_text("utf-8", "replace").splitlines()
        found = [line for line in lines if " ERROR " in line or "Exception: " in line] or lines[-1:]
        return f"{reason_of(found[-1]) if found else 'it said nothing'} (see {path})"

    @property
    def _conf(self) -> Path:
        return self.folder / "conf"

    def _command(self, name: str) -> list[str | Path]:
        kind = name.partition("-")[0]
        if kind == ZOOKEEPER:
            program = self.environment.program("flink-console.sh")
            return [program, kind, "--zkConfigFile", self._conf / "zoo.cfg", "--peerId", "1"]
        command: list[str | Path] = [self.environment.program(f"{kind}.sh"), "start-foreground"]
        own = ["-D", f"env.pid.dir={self.folder}"]  # by which the script is known before it is Java
        named = ["-D", f"taskmanager.resource-id={name}"] if name.startswith(TASK_MANAGER) else []
        return [*command, *own, *named]

    def record(self) -> Record:
        """Return what the folder remembers. Raises FlinkError if it has no cluster."""
        try:
            return msgspec.json.decode((self.folder / RECORD).read_bytes(), type=Record)
        except (FileNotFoundError, msgspec.DecodeError):
            raise FlinkError(
                f"{self.folder} has no cluster: start one with `towpath flink start`"
            ) from None

    def _change(self, **fields: Any) -> None:
        self._write(msgspec.structs.replace(self.record(), **fields))

    def _write(self, record: Record) -> None:
        new = self.folder / f"{RECORD}.new"
        new.touch(mode=0o600)
        new.write_bytes(msgspec.json.encode(record))
        new.replace(self.folder / RECORD)


def free_port() -> int:
    """Return a port of the loopback interface that is free now, another one with each call.

    It lies outside the range of ephemeral ports, so that no outgoing connection can take it first.
    """
    while True:
        port = PORTS.start + (os.getpid() * 89 + next(_ASKED)) % len(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _last_to_end(name: str) -> int:
    return (JOB_MANAGER, ZOOKEEPER).index(name) + 1 if name in (JOB_MANAGER, ZOOKEEPER) else 0


def _command_line(pid: int) -> str:
    """Return the command line of a process; empty if it has ended.

    It has the folder of the cluster, so a later process with the same id is not taken for it.
    """
    process = Path(f"/proc/{pid}")
    try:
        # In the middle of exec, a process has memory but no command line.
        while not (line := (process / "cmdline").read_bytes()):
            if "VmSize" not in (process / "status").read_text():
                break
        return line.decode("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return ""
    done = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout
