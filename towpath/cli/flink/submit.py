"""``towpath flink submit``: start the job on a cluster, from scratch or from a savepoint."""

from __future__ import annotations

import argparse

from towpath.cli import common
from towpath.cli.flink import cluster

EXAMPLE = (
    "towpath flink submit -- --brokers kafka:9092 --events events --events handovers=handover "
    "--control /data/shop.jsonl"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    cluster.add_submission(parser)
    parser.add_argument(
        "--from", dest="begin", metavar="PATH", help="a savepoint or checkpoint to begin with"
    )
    parser.add_argument(
        "--fresh", action="store_true",
        help="begin with empty states, although the job was submitted before",
    )  # fmt: skip
    parser.add_argument(
        "--job", metavar="NAME", help="a job that was submitted before, with the options it had"
    )
    cluster.add_cluster(parser)


def run(args: argparse.Namespace) -> int:
    """Submit the job and wait until it runs."""
    from towpath.flink.operations import start_job

    cluster.check_options(args)
    target = cluster.target_of(args)
    known = target.remembered()
    if args.job and args.job not in known:
        names = ", ".join(known) or "none"
        raise common.UserError(f'--job: "{args.job}" was not submitted before; there is: {names}')
    before = known.get(args.job or "") or (
        next(iter(known.values())) if len(known) == 1 and not args.rest else None
    )
    submission = cluster.submission_of(args, target, before)
    name = cluster.name_of(submission.words)
    begin = cluster.place(args.begin)
    job = start_job(target, name, submission, begin, common.say, fresh=args.fresh)
    if args.json:
        common.print_json({"job": name, "id": job, "from": begin})
    else:
        common.show_text(f"{name} runs ({job})")
        common.next_command("towpath flink status")
    return 0
