"""``towpath flink start``: start a cluster on this machine, or what is missing of it."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from towpath.cli import common
from towpath.cli.flink.cluster import ENVIRONMENT, add_env, add_folder, setting, whole

EXAMPLE = "towpath flink start --task-managers 2"

ABOUT = """\
The processes go on when the command ends; only this machine can reach them. One TaskManager runs one
instance of each function of a job. One more is a spare, which takes over when another one ends.
On a running cluster the command starts what has ended, and TaskManagers up to the given number."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    add = parser.add_argument
    add("--task-managers", type=whole, metavar="N", help="how many (default: 2, or those it has)")
    add("--port", type=whole, default=8081, help="port of its web pages (default: 8081)")
    add("--ha", action="store_true",
        help="keep jobs when the JobManager ends: `towpath flink start` brings it and them back, by a "
        "ZooKeeper, without --ha they are forgotten")  # fmt: skip
    add("--set", action="append", default=[], type=setting, metavar="NAME=VALUE",
        help="a setting of Flink, such as taskmanager.memory.process.size=4g")  # fmt: skip
    add_env(parser)
    add_folder(parser)


def run(args: argparse.Namespace) -> int:
    """Start processes and wait until they are ready."""
    from towpath.flink.environment import Environment
    from towpath.flink.local_cluster import JOB_MANAGER, TASK_MANAGER, ZOOKEEPER, LocalCluster

    cluster = LocalCluster(Path(args.folder), Environment(Path(args.env or ENVIRONMENT)))
    managers = args.task_managers or 0
    if not cluster.exists or not cluster.names():
        _refuse_used(args.port)
        given = dict(word.split("=", 1) for word in args.set)
        cluster.configure(args.port, given, available=args.ha)
        managers = managers or 2
    elif args.set or args.ha:
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
