"""The results that a page is made from: a replay's folder, or the tables of the streaming job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import msgspec

from pipelines.replay.results import Account, Shape
from towpath.reports.tables import Tables
from transforms.sinks.part_files import ADDED, MANIFEST

FLOWS = "select distinct flow from transition where flow is not null order by flow"
STEPS = """
    select flow, step from (
        select flow, step, row_number() over (partition by session order by sequence) as place
        from transition where what = 'reached')
    group by flow, step order by avg(place), min(place), step"""
GOALS = "select distinct flow, goal from conversion order by all"
COUNTS = """
    select count(distinct user), coalesce(max(epoch_ms("at")), 0), count(*) from transition"""


class Results(msgspec.Struct, frozen=True, gc=False):
    """The tables of one space, and what is known of their run.

    ``streamed``: the streaming job wrote them, so messages were sent, and rows may be doubled.
    """

    folder: Path
    account: Account
    streamed: bool = False


def streamed(out: Path) -> Iterator[Results]:
    """Yield the results of each space below the ``--tables`` folder of the streaming job."""
    for folder in sorted(out.iterdir()):
        table = folder / "transition"
        if (table / ADDED).is_dir() or (table / MANIFEST).is_file():
            yield Results(folder, _account(folder), streamed=True)


def _account(folder: Path) -> Account:
    """Describe the run from its rows: steps are in the order in which sessions reach them."""
    with Tables(folder, ("transition", "conversion"), distinct=True) as tables:
        users, until, rows = tables.rows(COUNTS)[0]
        steps: dict[str, list[str]] = {flow: [] for (flow,) in tables.rows(FLOWS)}
        goals: dict[str, list[str]] = {flow: [] for flow in steps}
        for flow, step in tables.rows(STEPS):
            steps[flow].append(step)
        for flow, goal in tables.rows(GOALS):
            goals.setdefault(flow, []).append(goal)
    steps = {flow: steps.get(flow, []) for flow in goals}
    shape = Shape(unquote(folder.name), steps, goals, {})
    return Account(until=until, audit=True, events=(), shape=shape, users=users, read=0, bad=0,
                   unread=0, after=0, rows={"transition": rows})  # fmt: skip
