"""``towpath flink status``: the state of jobs, their checkpoints and how far they are behind."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from towpath.cli import common
from towpath.cli.flink import cluster

if TYPE_CHECKING:
    from towpath.flink.status import Operator, Status

EXAMPLE = "towpath flink status --json"

ABOUT = """\
Exit code 0: all tasks of all jobs run. 1: a job restarts, has failed, or there is none.
The watermark is the time of the job: it is behind by the time since the last heartbeat."""

WIDEST = 60
CATALOG = "KafkaSource-default_catalog.default_database."
ADDED = re.compile(
    r"(Calc|ConstraintEnforcer|TableToDataStream|DataStreamToTable|WatermarkAssigner)\b|_stream_|"
    r".*: (Writer|Committer)$"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    cluster.add_job(parser)
    cluster.add_cluster(parser)


def run(args: argparse.Namespace) -> int:
    """Show all jobs that have not ended, or the newest with a name."""
    from towpath.flink.status import status_of

    target = cluster.target_of(args)
    now = cluster.now()
    if args.job:
        jobs = [job for job in target.rest.jobs() if job.name == args.job][:1]
    else:
        jobs = target.active() or target.rest.jobs()[:1]
    found = [status_of(target.rest, job.id, now) for job in jobs]
    free, total = target.rest.slots()
    if args.json:
        common.print_json(
            {"address": target.rest.address, "slots": total, "free": free, "jobs": found}
        )
    else:
        common.show_text(f"{target.rest.address}: {free} of {total} slots are free")
        for one in found:
            common.show_text("\n".join(["", *_lines(one, now)]))
    if not found:
        what = f"job {args.job}" if args.job else "job"
        common.say(f"no {what} runs")
        common.next_command("towpath flink submit -- --help")
    return 0 if found and all(one.healthy for one in found) else 1


def _lines(status: Status, now: int) -> list[str]:
    from transforms.flows.clock.zones import iso

    made = status.checkpoints
    last = "none yet"
    if made.last is not None:
        last = (
            f"last {cluster.span(now - made.last)} ago, took {cluster.span(made.duration or 0)}, "
            f"{cluster.size(made.size or 0)}"
        )
    lines = [
        (
            f"{status.job} ({status.id}): {status.state.lower()} for {cluster.span(now - status.since)}, "
            f"since {iso(status.since)}"
        ),
        f"  checkpoints  {last}; {made.complete:,} complete, {made.failed:,} failed",
        f"  restarts     {'not known' if status.restarts is None else status.restarts}",
        f"  watermark    {_lag(status.lag)}",
    ]
    if made.failure:
        lines.append(f"  last failure of a checkpoint: {made.failure}")
    if status.error and (status.restarts or not status.healthy):
        lines.append(f"  last error: {status.error}")
    rows = [
        ("operator", "instances", "in", "out", "watermark", "busy"),
        *map(_row, status.operators),
    ]
    return [*lines, *(f"  {line}" for line in common.columns(rows))]


def _lag(lag: int | None) -> str:
    return "none yet" if lag is None else f"{cluster.span(lag)} behind"


def _row(one: Operator) -> tuple[str, ...]:
    states = ", ".join(f"{count} {state.lower()}" for state, count in one.states.items())
    name = short(one.name)
    name = name if len(name) <= WIDEST else f"{name[: WIDEST - 1]}…"
    busy = "" if one.busy is None else f"{one.busy} %"
    mark = "" if name.startswith("Source: ") else _lag(one.lag)  # a source receives none
    return name, states, f"{one.records_in:,}", f"{one.records_out:,}", mark, busy


def short(name: str) -> str:
    """Return the functions of an operator without those that Flink's tables add."""
    parts = re.split(" -> |, ", name.replace(CATALOG, ""))
    return ", ".join(part for part in parts if not ADDED.match(part)) or name
