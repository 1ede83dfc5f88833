"""``towpath flink start``: start a cluster on this machine, or what is missing of it."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from towpath.cli import common
from towpath.cli.flink.cluster import add_env, add_folder, setting, whole

if TYPE_CHECKING:
    from towpath.flink.local_cluster import LocalCluster

EXAMPLE = "towpath flink start --task-managers 2"
PORT, MANAGERS = 8081, 2

ABOUT = """\
The processes keep running after the command exits; only this machine can reach them. One TaskManager runs one
instance of each function of a job. One more is a spare, which takes over when another one ends.
On a running cluster the command starts what has ended, and TaskManagers up to the given number. A cluster
that was stopped keeps its earlier settings, unless --reset is given."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    add = parser.add_argument
    add("--task-managers", type=whole, metavar="N", help="how many (default: 2, or those it had)")
    add("--port", type=whole, help="port of its web pages (default: 8081, or the one it had)")
    add("--ha", action="store_true",
        help="keep jobs when the JobManager ends: a ZooKeeper remembers them, and `towpath flink start` "
        "brings them back; without --ha they are lost with the JobManager")  # fmt: skip
    add("--set", action="append", default=[], type=setting, metavar="NAME=VALUE",
        help="a setting of Flink, such as taskmanager.memory.process.size=4g")  # fmt: skip
    add("--reset", action="store_true", help="forget the settings that the cluster had")
    add_env(parser)
    add_folder(parser)


def run(args: argparse.Namespace) -> int:
    """Start processes and wait until they are ready."""
    from towpath.flink.environment import Environment
    from towpath.flink.local_cluster import JOB_MANAGER, TASK_MANAGER, ZOOKEEPER, LocalCluster

    environment = Environment(Path(args.env)) if args.env else None
    cluster = LocalCluster(Path(args.folder), environment)
    managers = args.task_managers or 0
    if not cluster.exists or not cluster.names():
        before = _configure(cluster, args)
        managers = managers or before
    elif args.set or args.ha or args.port or args.reset:
        raise common.UserError(
            "the cluster has its settings already; end it first: towpath flink stop --cluster",
            code=1,
        )
    wanted = [ZOOKEEPER] if cluster.available else []
    wanted += [JOB_MANAGER, *(f"{TASK_MANAGER}{number}" for number in range(managers))]
    missing = [
        name for name in dict.fromkeys([*wanted, *cluster.names()]) if not cluster.alive(name)
    ]
    if missing:
        common.say(f"starting {', '.join(missing)}")
    for name in missing:
        cluster.start(name)
    cluster.wait()
    _show(args, cluster.rest.address, cluster.names(), missing)
    return 0


def _configure(cluster: LocalCluster, args: argparse.Namespace) -> int:
    """Write the settings, with those of before; return how many TaskManagers to start."""
    before = cluster.record() if cluster.exists and not args.reset else None
    port, settings, available = args.port, dict[str, Any](), args.ha
    if before is not None:
        port = port or urlsplit(before.rest).port
        settings = dict(before.settings)
        available = available or cluster.available
    port = port or PORT
    _refuse_used(port)
    settings |= dict(word.split("=", 1) for word in args.set)
    cluster.configure(port, settings, available=available)
    return before.managers if before is not None and before.managers else MANAGERS


def _refuse_used(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise common.UserError(
                f"port {port} is used by another program; choose another one with --port", code=1
            ) from None


def _show(args: argparse.Namespace, address: str, names: list[str], started: list[str]) -> None:
    if args.json:
        common.print_json({"address": address, "processes": names, "started": started})
        return
    common.show_text(f"the cluster runs: {address}")
    common.show_text(f"  {', '.join(names)}; logs in {args.folder}")
    common.next_command("towpath flink submit -- --brokers HOST:PORT --events events …")
