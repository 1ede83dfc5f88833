"""``towpath flink rescale``: run the job with more or fewer instances of each function."""

from __future__ import annotations

import argparse

from towpath.cli.flink import cluster
from towpath.cli.flink.replace import replace

EXAMPLE = "towpath flink rescale 2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "parallelism",
        type=cluster.whole,
        metavar="N",
        help="instances of each function; each needs a slot",
    )
    cluster.add_job(parser)
    cluster.add_to(parser)
    cluster.add_cluster(parser)


def run(args: argparse.Namespace) -> int:
    """Replace the job by itself, with another parallelism."""
    args.rest, args.env, args.set = [], None, []
    return replace(args, cluster.target_of(args), code=False)
