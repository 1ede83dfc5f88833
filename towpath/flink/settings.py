"""The settings of Flink that the job needs, on every cluster; and those of a cluster on this machine.

The manifests in ``infra/flink`` have the same ones, and a test compares them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Settings = dict[str, Any]

# As PyFlink's own configuration has them: Java 17 closes these packages.
_EXPORTED = [
    "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5",
    *[f"jdk.compiler/com.sun.tools.javac.{name}" for name in ("api", "file", "parser", "tree", "util")],
]  # fmt: skip
_OPENED = "lang net io nio lang.reflect text time util util.concurrent util.concurrent.atomic util.concurrent.locks"
JAVA_OPTIONS = " ".join(
    [
        *[f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTED],
        *[f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED.split()],
        "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    ]
)

SHARED: Settings = {
    "env.java.opts.all": JAVA_OPTIONS,
    # Python runs inside Java: one TaskManager has one interpreter, so it has one slot. Which Python it is,
    # the path of the process says.
    "python.execution-mode": "thread",
    "classloader.parent-first-patterns.additional": "pemja.",
    "taskmanager.numberOfTaskSlots": 1,
    # States of users are as large as the disk, and only what changed is in a checkpoint.
    "state.backend.type": "rocksdb",
    "execution.checkpointing.incremental": True,
    # Outputs become visible with a checkpoint, so this is also their delay.
    "execution.checkpointing.interval": "10s",
    # A slow checkpoint delays outputs; a restart would delay them more.
    "execution.checkpointing.tolerable-failed-checkpoints": 10,
    "execution.checkpointing.num-retained": 3,
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    # The job is never given up: a fixed number of attempts would be used up by one missing TaskManager.
    "restart-strategy.type": "exponential-delay",
    "restart-strategy.exponential-delay.initial-backoff": "1s",
    "restart-strategy.exponential-delay.max-backoff": "30s",
    # A process that has ended is noticed by its connection; this is for a machine that is gone.
    "heartbeat.interval": 2000,
    "heartbeat.timeout": 30000,
}
"""What the job needs on every cluster."""

SESSION_TIMEOUT = "10s"
"""How long ZooKeeper waits for a JobManager before another one takes over; Flink's own is a minute."""


def local(folder: Path, *, rest: int, rpc: int) -> Settings:
    """Return the settings of a cluster on this machine, which only this machine can reach."""
    return SHARED | {
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": rpc,
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.memory.process.size": "1g",
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": rest,
        "taskmanager.host": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        "taskmanager.memory.process.size": "1400m",
        "parallelism.default": 1,
        "io.tmp.dirs": str(folder / "tmp"),
        "execution.checkpointing.dir": (folder / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (folder / "savepoints").as_uri(),
    }


def remote(host: str, port: int) -> Settings:
    """Return the settings of a client for a cluster elsewhere: those of checkpoints belong to a job."""
    return SHARED | {"rest.address": host, "rest.port": port, "parallelism.default": 1}


def to_yaml(settings: Settings) -> str:
    """Return the text of Flink's ``config.yaml``."""
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())


def with_zookeeper(folder: Path, port: int) -> Settings:
    """Return the settings by which a new JobManager finds the jobs of the one before."""
    return {
        "high-availability.type": "zookeeper",
        "high-availability.zookeeper.quorum": f"127.0.0.1:{port}",
        "high-availability.zookeeper.client.session-timeout": SESSION_TIMEOUT,
        "high-availability.storageDir": (folder / "high-availability").as_uri(),
    }


def zookeeper(folder: Path, port: int) -> str:
    """Return the configuration of a ZooKeeper with one server, on this machine only."""
    words = {
        "tickTime": 2000,
        "dataDir": folder / "zookeeper",
        "clientPort": port,
        "clientPortAddress": "127.0.0.1",
        "admin.enableServer": "false",
    }
    return "".join(f"{name}={value}\n" for name, value in words.items())
