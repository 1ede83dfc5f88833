"""``towpath flink upgrade``: replace the job by new code or options, with the states of its users."""

from __future__ import annotations

import argparse

from towpath.cli.flink import cluster
from towpath.cli.flink.replace import replace

EXAMPLE = "towpath flink upgrade --env build/flink-0.2.0"

ABOUT = """\
The job is stopped with a savepoint, never drained, and submitted again from it. On this machine its
TaskManagers are restarted, since they keep the code that they have loaded. The new job is good when its
first checkpoint is complete. If it does not get there, the old one is started again from the savepoint,
with its options and environment of before."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    cluster.add_submission(parser)
    cluster.add_job(parser)
    cluster.add_to(parser)
    cluster.add_cluster(parser)


def run(args: argparse.Namespace) -> int:
    """Replace the job."""
    return replace(args, cluster.target_of(args), code=True)
