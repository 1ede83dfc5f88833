"""``towpath flink stop``: stop the job with a savepoint; ``--cluster`` also ends the cluster."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from towpath.cli import common
from towpath.cli.flink import cluster

if TYPE_CHECKING:
    from towpath.flink.rest import Job
    from towpath.flink.target import Target

EXAMPLE = "towpath flink stop"

ABOUT = """\
The savepoint has the states of all users, with their waits, and the offsets of the topics.
A job is never drained: a drain moves time to its end, so all waits of all users would end."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    cluster.add_job(parser)
    parser.add_argument(
        "--cluster", action="store_true", help="stop all jobs and end the cluster on this machine"
    )
    parser.add_argument(
        "--now",
        action="store_true",
        help="make no savepoint; the last checkpoint stays, and what came after it is handled again",
    )
    cluster.add_to(parser)
    cluster.add_cluster(parser)


def run(args: argparse.Namespace) -> int:
    """Stop jobs; with ``--cluster`` also end the processes."""
    from towpath.flink.errors import Unreachable
    from towpath.flink.target import one_of

    if args.cluster and (args.address or args.job):
        raise common.UserError(
            "--cluster ends the whole cluster on this machine: leave out the rest"
        )
    target = cluster.target_of(args)
    try:
        jobs = target.active()
        jobs = jobs if args.cluster else [one_of(jobs, args.job, target.rest)]
    except Unreachable:
        if not args.cluster:
            raise
        common.say("the JobManager does not run, so there are no savepoints of its jobs")
        jobs = []
    stopped = [_stop(target, job, args) for job in jobs]
    if args.cluster and target.local is not None:
        common.say(f"ending {', '.join(target.local.names())}")
        target.local.end_all()
    _show(args, stopped)
    return 0


def _stop(target: Target, job: Job, args: argparse.Namespace) -> dict[str, str | None]:
    from towpath.flink.errors import FlinkError

    saved: str | None = None
    if args.now:
        target.rest.cancel(job.id)
        last = target.rest.checkpoints(job.id)["latest"]["completed"]
        saved = last["external_path"] if last else None
    else:
        common.say(f"stopping {job.name} with a savepoint")
        try:
            saved = target.rest.stop(job.id, args.to)
        except FlinkError as error:
            raise FlinkError(
                f"{job.name} cannot be stopped with a savepoint: {error}. With --now it ends without "
                "one, and can begin with its last checkpoint"
            ) from None
    return {"job": job.name, "id": job.id, "savepoint": saved}


def _show(args: argparse.Namespace, stopped: list[dict[str, str | None]]) -> None:
    if args.json:
        common.print_json({"stopped": stopped, "cluster": args.cluster})
        return
    what = "checkpoint" if args.now else "savepoint"
    for one in stopped:
        where = f"its {what} is {one['savepoint']}" if one["savepoint"] else f"it has no {what}"
        common.show_text(f"{one['job']} is stopped; {where}")
    if args.cluster:
        common.show_text(f"the cluster has ended; its files are in {args.folder}")
    if stopped and stopped[0]["savepoint"]:
        job = stopped[0]
        common.next_command(f"towpath flink submit --job {job['job']} --from {job['savepoint']}")
