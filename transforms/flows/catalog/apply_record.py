"""What each record of the control log does to the state of the log, and its effects on users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import msgspec

from transforms.flows.catalog.compile import compile_flow, compile_goals
from transforms.flows.catalog.compiled import GoalSet
from transforms.flows.catalog.epochs import Effect
from transforms.flows.catalog.log_state import (
    NOT_RUNNING,
    STARTED,
    InvalidLog,
    Known,
    LogState,
    accepted,
    bounds,
    migration,
    pause,
    place,
    resume,
)
from transforms.flows.catalog.reads import visits_in
from transforms.flows.definitions.flow import Schedule
from transforms.flows.definitions.steps.branches import Split
from transforms.flows.expressions.reads import counted_events, reads_of
from transforms.flows.protocol import control_records
from transforms.flows.reading.flow import load_goals
from transforms.flows.reading.space import load_space


def _publish(log: LogState, record: control_records.Publish) -> list[Effect]:
    flow, templates = log.once("flow", record, (log.space,), lambda: log.load(record))
    log.number(record, flow)
    number, at, steps = log.numbers[flow.id], record.effective_at, log.steps[flow.id]
    if (number, record.version) in log.plans:
        raise InvalidLog(f"version {record.version} of {flow.id} is published twice")
    plan = log.once(
        "plan",
        record,
        (flow, number, steps),
        lambda: compile_flow(flow, number, record.version, dict(steps), templates),
    )
    log.plans[number, record.version] = plan
    known = log.new_version(plan)
    log.read_event(plan.events, at, every=plan.reads_visits)
    log.read_event(counted_events(plan.aggregates), at)
    log.count(plan.aggregates)
    log.goals |= plan.goal_set.events
    log.state_goals = log.state_goals or bool(plan.goal_set.states)
    log.has_state_readers = log.has_state_readers or plan.has_state_readers
    log.inbound_since = min(log.inbound_since, at) if plan.reads_inbound else log.inbound_since
    moved = migration(known, record, steps)
    known.versions.append(plan)
    return [Effect(at, "publish", number), *moved, *place(known, log.space, at)]


def _space(log: LogState, record: control_records.SetSpace) -> list[Effect]:
    loaded = log.once("space", record, (), lambda: load_space("space.yaml", record.text))
    space = accepted(loaded, "the space's settings have problems")
    _keep_name(log, space.name)
    log.space, at = space, record.effective_at
    for audience in log.space.audiences:
        if audience.when is not None:
            read = reads_of(audience.when)
            log.count(read.aggregates)
            log.read_event(counted_events(read.aggregates), at, every=visits_in(read))
    moved = [effect for name in log.flows for effect in place(log.flow(name), log.space, at)]
    return [Effect(at, "space"), *moved]


def _keep_name(log: LogState, name: str) -> None:
    """Refuse another name of the space: every id is made of it (R30)."""
    if (log.named or log.flows) and name != log.space.name:
        raise InvalidLog(f"the space is {log.space.name} for good: it cannot become {name}")
    log.named = True


def apply(log: LogState, record: control_records.ControlRecord) -> list[Effect]:
    """Take one record in; return its effects, also those that a schedule brings later."""
    at = record.effective_at
    match record:
        case control_records.Publish():
            return _publish(log, record)
        case control_records.SetSpace():
            return _space(log, record)
        case control_records.Start():
            return place(_named(log, record), log.space, at, start=True)
        case control_records.Pause():
            return pause(_named(log, record), record, at)
        case control_records.Resume():
            return resume(_named(log, record), log.space, at)
        case control_records.Drain():
            known = _named(log, record)
            known.status, known.refusal = "draining", NOT_RUNNING
            return [Effect(at, "drain", known.plan.number)]
        case control_records.Finish():
            known = _named(log, record)
            known.status, known.refusal, known.paused = "finished", NOT_RUNNING, False
            return [Effect(at, "drain", known.plan.number)]
        case control_records.Stop() | control_records.Archive():
            known = _named(log, record)
            known.status, known.refusal, known.paused = "finished", NOT_RUNNING, False
            known.versions = [known.plan]
            reason = record.reason if isinstance(record, control_records.Stop) else "stopped"
            return [Effect(at, "stop", known.plan.number, reason)]
        case control_records.SetPriority():
            known = _named(log, record)
            known.priority = record.priority
            return [Effect(at, "other", known.plan.number)]
        case control_records.SetSchedule():
            known = _named(log, record)
            known.schedule = Schedule(record.start, record.end, record.at_end)
            return place(known, log.space, at)
        case control_records.SetGoals():
            return _goals(log, record)
        case control_records.Winner():
            return _winner(log, record)
        case control_records.Kill():
            return _kill(log, record)
        case _:
            assert_never(record)


def _goals(log: LogState, record: control_records.SetGoals) -> list[Effect]:
    """Take goals that hold from now on, also for sessions of earlier versions (R24)."""
    known, at = _named(log, record), record.effective_at
    what = f"goals of {record.flow}"
    campaign, space = known.plan.campaign, log.space

    def compiled() -> GoalSet:
        loaded = load_goals(what, record.text, space, campaign)
        goals = accepted(loaded, f"the {what} have problems")
        return compile_goals(goals)

    aims = known.aims = log.once("goals", record, (space, campaign), compiled)
    log.goals |= aims.events
    log.state_goals = log.state_goals or bool(aims.states)
    log.read_event((*aims.events, *counted_events(aims.aggregates)), at, every=aims.reads_visits)
    log.count(aims.aggregates)
    return [Effect(at, "goals", known.plan.number)]


def _winner(log: LogState, record: control_records.Winner) -> list[Effect]:
    """Take the best branch of a split, which is none of a holdout or the rest (I28)."""
    plan = _named(log, record).plan
    node = plan.steps.get(plan.step_numbers.get(record.step, -1))
    branches = node.verb.branches if node and isinstance(node.verb, Split) else ()
    if record.branch not in [b.name for b in branches if not (b.holdout or b.rest)]:
        raise InvalidLog(
            f'step "{record.flow}/{record.step}" is not a split, '
            f'or has no branch "{record.branch}" that can win'
        )
    log.winners[plan.number, plan.step_numbers[record.step]] = record.branch
    return [Effect(record.effective_at, "other", plan.number)]


def _kill(log: LogState, record: control_records.Kill) -> list[Effect]:
    """Turn a kill switch on, or off: that of just this flow and channel."""
    number = None if record.flow is None else _named(log, record).plan.number
    if record.channel not in (None, *(channel.name for channel in log.space.channels)):
        raise InvalidLog(f"record {record.sequence} names channel {record.channel}, which is none")
    log.kills.pop((number, record.channel), None)
    if not record.off:
        log.kills[number, record.channel] = None
    return [Effect(record.effective_at, "other", number)]


def _named(log: LogState, record: control_records.ControlRecord) -> Known:
    name = getattr(record, "flow", "")
    if name not in log.flows:
        raise InvalidLog(f"record {record.sequence} names flow {name}, which was never published")
    return log.flow(name)


class Later(msgspec.Struct, frozen=True):
    """An instant at which the schedule of a flow may open or close it."""

    effective_at: int
    sequence: int
    flow: str


def later_of(log: LogState, record: control_records.ControlRecord) -> Iterator[Later]:
    """Find what the schedules bring after a record; settings may move them, by their zone."""
    match record:
        case control_records.Publish() | control_records.Start() | control_records.SetSchedule():
            touched = [record.flow]
        case control_records.SetSpace():
            touched = list(log.flows)
        case _:
            touched = []
    for name in touched:
        known = log.flows[name]
        for at in bounds(known, log.space) if known.status in STARTED else ():
            if at is not None and at > record.effective_at:
                yield Later(at, record.sequence, name)
