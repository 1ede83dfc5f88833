"""``towpath flink savepoint``: make a savepoint of the job while it keeps running."""

from __future__ import annotations

import argparse

from towpath.cli import common
from towpath.cli.flink import cluster

EXAMPLE = "towpath flink savepoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    cluster.add_job(parser)
    cluster.add_to(parser)
    cluster.add_cluster(parser)


def run(args: argparse.Namespace) -> int:
    """Make a savepoint and print where it is."""
    from towpath.flink.target import one_of

    target = cluster.target_of(args)
    job = one_of(target.active(), args.job, target.rest)
    saved = target.rest.savepoint(job.id, args.to)
    if args.json:
        common.print_json({"job": job.name, "id": job.id, "savepoint": saved})
    else:
        common.show_text(saved)
    return 0
