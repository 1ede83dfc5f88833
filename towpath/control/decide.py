"""What the controller decides: values in, records of the control log out; time is an argument.

It stops flows 90 days after their launch or, if they run indefinitely, after 90 days without a
step reached (R28); it finishes flows whose last session has ended (R26); it chooses the winners of
split tests (I28). Every record takes effect a lead time ahead, and flows are judged as of then, so
what is decided once is not decided again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from towpath.control.decide_winner import best_branch
from towpath.control.index import Activity, Tally
from towpath.control.store import LEAD
from transforms.flows.catalog.compiled import Plan
from transforms.flows.catalog.epochs import Catalog, Effect, Epoch, FlowView
from transforms.flows.clock.schedules import next_occurrence
from transforms.flows.clock.zones import find_zone
from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.steps.branches import Split, Winning
from transforms.flows.definitions.triggers.profile import OnSchedule
from transforms.flows.protocol.control_records import ControlRecord, Finish, Stop, Winner
from transforms.flows.reading.checks.flow import at_one_moment

DAY = 86_400_000
LONGEST = 90 * DAY
"""How long a flow runs after its launch, or without a step reached."""

SETTLED = 3_600_000
"""How long a flow without sessions must be quiet before it is finished: rows may arrive late."""

FRESH = 10 * 60_000
"""How old the last complete reading of the outputs may be, to decide from what is not in them."""

ALIVE = ("running", "paused", "draining")


class OpenTest(msgspec.Struct, frozen=True, gc=False):
    """A split whose winner is not chosen yet."""

    flow: str
    version: int
    step: str
    split: Split
    winner: Winning


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What the index says.

    ``since`` is when it began to read outputs, ``read_at`` when it last read all there were.
    ``tallies`` are the users of the branches of each test, by flow and step.
    """

    since: int
    read_at: int
    activity: Mapping[str, Activity] = {}
    tallies: Mapping[tuple[str, str], Mapping[str, Tally]] = {}


def live_flows(catalog: Catalog, now: int) -> tuple[str, ...]:
    """Return the flows that may have sessions, of which ``decide`` needs the activity."""
    return tuple(v.plan.id for v in catalog.at(now + LEAD).flows if v.status in ALIVE)


def open_tests(catalog: Catalog, now: int) -> tuple[OpenTest, ...]:
    """Return the splits of running flows, in their newest version, that wait for a winner."""
    epoch = catalog.at(now + LEAD)
    return tuple(
        test
        for view in epoch.flows
        if view.status in ALIVE
        for test in _tests(view.plan)
        if (view.plan.number, view.plan.step_numbers[test.step]) not in epoch.winners
    )


def _tests(plan: Plan) -> Iterator[OpenTest]:
    for step in plan.flow.steps:
        if isinstance(step.verb, Split) and step.verb.winner is not None:
            yield OpenTest(plan.id, plan.version, step.name, step.verb, step.verb.winner)


def decide(catalog: Catalog, facts: Facts, now: int) -> tuple[ControlRecord, ...]:
    """Return the records to append, without their sequences."""
    epoch = catalog.at(now + LEAD)
    alive = (view for view in epoch.flows if view.status in ALIVE)
    ends = [end for view in alive if (end := _end(catalog, epoch, view, facts, now))]
    ended = {end.flow for end in ends}
    wins = (_win(test, facts, now) for test in open_tests(catalog, now) if test.flow not in ended)
    return (*ends, *(win for win in wins if win is not None))


def _win(test: OpenTest, facts: Facts, now: int) -> Winner | None:
    """Return the record of the best branch of a test, None if that is not sure yet."""
    best = best_branch(test.split, facts.tallies.get((test.flow, test.step), {}))
    if best is None:
        return None
    return Winner(sequence=0, effective_at=now + LEAD, flow=test.flow, step=test.step, branch=best)


def _end(
    catalog: Catalog, epoch: Epoch, view: FlowView, facts: Facts, now: int
) -> Stop | Finish | None:
    """Return the record that ends a flow, None if it goes on."""
    flow, at = view.plan.flow, now + LEAD
    launch = _last(catalog, view.plan.number, "start", now)
    if launch is None:
        return None
    activity = facts.activity.get(flow.id, Activity())
    if not flow.schedule.indefinitely and now >= launch + LONGEST:
        return Stop(sequence=0, effective_at=at, flow=flow.id, reason="launch_over")
    if facts.read_at < now - FRESH:
        return None
    idle = max(launch, facts.since, activity.reached or 0)
    if flow.schedule.indefinitely and now >= idle + LONGEST:
        return Stop(sequence=0, effective_at=at, flow=flow.id, reason="idle")
    if _is_over(catalog, epoch, view, activity, launch, now) and facts.since <= launch:
        return Finish(sequence=0, effective_at=at, flow=flow.id)
    return None


def _is_over(
    catalog: Catalog, epoch: Epoch, view: FlowView, activity: Activity, launch: int, now: int
) -> bool:
    """Return whether a flow takes no more entries, and its last session has ended."""
    if activity.live:
        return False
    if view.status == "draining":
        closed = _last(catalog, view.plan.number, "drain", now)
    elif view.status == "running" and activity.seen is not None and activity.seen >= launch:
        closed = launch if _all_entered(view.plan.flow, epoch, now) else None
    else:
        return False
    return closed is not None and now >= max(closed, activity.seen or 0) + SETTLED


def _all_entered(flow: Flow, epoch: Epoch, now: int) -> bool:
    """Return whether all users enter at one moment, and the last such moment is past in any zone."""
    if not all(map(at_one_moment, flow.enter)):
        return False
    zone = find_zone(flow.zone, epoch.space.zone)
    dates = (trigger.moment for trigger in flow.enter if isinstance(trigger, OnSchedule))
    return all(next_occurrence(moment, now - DAY, zone) is None for moment in dates)


def _last(catalog: Catalog, flow: int, what: str, now: int) -> int | None:
    """Return when an effect last happened to a flow, or is about to: statuses are those of then."""
    found: list[Effect] = [
        e for e in catalog.effects if e.flow == flow and e.what == what and e.at <= now + LEAD
    ]
    return found[-1].at if found else None
