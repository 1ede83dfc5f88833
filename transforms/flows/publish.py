"""From the control log to a catalog: every record in order of its effective time, then sequence.

Flows and steps are numbered in the order of the log, so a number never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import count

import msgspec

from transforms.flows import control, model
from transforms.flows.catalog import (
    NEVER,
    Catalog,
    ComputedAudience,
    Counted,
    Effect,
    Era,
    FlowView,
    Status,
)
from transforms.flows.expressions import Aggregate, compile_condition, compile_value, reads
from transforms.flows.load import load_flow, load_space
from transforms.flows.load.problems import Problem
from transforms.flows.plan import ON_EXIT, Matcher, Plan, Start
from transforms.flows.planning import compile_flow
from transforms.flows.templates import load_template
from transforms.flows.times import instant, longest_period, zone

STARTED = ("scheduled", "running")
NOT_RUNNING, OUTSIDE = "flow_not_running", "outside_schedule"


class InvalidLog(ValueError):
    """A record of the log cannot be followed; ``problems`` says where and why."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class _Flow(msgspec.Struct):
    """What the records have said of one flow so far.

    ``priority`` and ``schedule`` are what a record set: they go before what the version says,
    and no later version touches them.
    """

    plan: Plan
    status: Status = "draft"
    refusal: str = NOT_RUNNING
    priority: int | None = None
    schedule: model.Schedule | None = None


class _Log:
    """The state of the world while the log is read."""

    def __init__(self) -> None:
        self.space = model.Space()
        self.named = False
        self.flows: dict[str, _Flow] = {}
        self.numbers: dict[str, int] = {}
        self.steps: dict[str, dict[str, int]] = {}
        self.plans: dict[tuple[int, int], Plan] = {}
        self.aggregates: dict[Aggregate, None] = {}
        self.heard: dict[str, int] = {}

    def number(self, record: control.Publish, flow: model.Flow) -> None:
        """Give the flow and its steps their numbers."""
        self.numbers.setdefault(flow.id, len(self.numbers))
        steps = self.steps.setdefault(flow.id, {})
        names = [step.name for step in flow.steps]
        for name in [*names, *(ON_EXIT + step.name for step in flow.on_exit)]:
            steps.setdefault(name, len(steps))

    def hear(self, events: Iterable[str], at: int) -> None:
        """Note since when an event is read."""
        for event in events:
            self.heard[event] = min(at, self.heard.get(event, NEVER))


def _publish(log: _Log, record: control.Publish) -> list[Effect]:
    flow, templates = _loaded(log, record)
    log.number(record, flow)
    number, at = log.numbers[flow.id], record.effective_at
    if (number, record.version) in log.plans:
        raise InvalidLog(f"version {record.version} of {flow.id} is published twice")
    plan = compile_flow(flow, number, record.version, dict(log.steps[flow.id]), templates)
    log.plans[number, record.version] = plan
    known = log.flows.setdefault(flow.id, _Flow(plan))
    known.plan = plan
    log.hear(plan.events, at)
    log.hear((a.event for a in plan.aggregates), at)
    log.aggregates |= dict.fromkeys(plan.aggregates)
    return [Effect(at, "publish", number), *_place(log, known, at)]


def _loaded(log: _Log, record: control.Publish) -> tuple[model.Flow, dict[str, model.Template]]:
    """Read the texts of a version."""
    what = f"version {record.version} of {record.flow}"
    if record.migrate or record.successors:
        raise InvalidLog(f"{what}: taking sessions along is not supported by this version")
    templates: dict[str, model.Template] = {}
    problems: list[Problem] = []
    for name, text in record.templates.items():
        loaded = load_template(name, text)
        problems += loaded.problems
        if loaded.value is not None:
            templates[name] = loaded.value
    found = load_flow(f"{record.flow}.yaml", record.text, log.space, templates)
    problems = [p for p in (*problems, *found.problems) if p.severity == "error"]
    if found.value is None or problems:
        raise InvalidLog(f"{what} has problems", problems)
    if found.value.id != record.flow:
        raise InvalidLog(f"{what} is the text of another flow, {found.value.id}")
    return found.value, templates


def _space(log: _Log, record: control.SetSpace) -> list[Effect]:
    found = load_space("space.yaml", record.text)
    problems = [p for p in found.problems if p.severity == "error"]
    if found.value is None or problems:
        raise InvalidLog("the space's settings have problems", problems)
    _keep_name(log, found.value.name)
    log.space = found.value
    for audience in log.space.audiences:
        if audience.when is not None:
            aggregates = reads(audience.when).aggregates
            log.aggregates |= dict.fromkeys(aggregates)
            log.hear((a.event for a in aggregates), record.effective_at)
    at = record.effective_at
    moved = [effect for known in log.flows.values() for effect in _place(log, known, at)]
    return [Effect(at, "space"), *moved]


def _keep_name(log: _Log, name: str) -> None:
    """Refuse another name of the space: every id is made of it (R30)."""
    if (log.named or log.flows) and name != log.space.name:
        raise InvalidLog(f"the space is {log.space.name} for good: it cannot become {name}")
    log.named = True


def _schedule(known: _Flow) -> model.Schedule:
    return known.schedule or known.plan.flow.schedule


def _bounds(log: _Log, known: _Flow) -> tuple[int | None, int | None]:
    """Return the start and the end of a flow's schedule as instants."""
    where = zone(known.plan.zone, log.space.zone)
    schedule = _schedule(known)
    start = instant(schedule.start, where) if schedule.start else None
    return start, instant(schedule.end, where) if schedule.end else None


def _apply(log: _Log, record: control.ControlRecord) -> list[Effect]:
    """Take one record in; return its effects, also those that a schedule brings later."""
    at = record.effective_at
    match record:
        case control.Publish():
            return _publish(log, record)
        case control.SetSpace():
            return _space(log, record)
        case control.Start():
            return _place(log, _named(log, record), at, start=True)
        case control.Drain():
            known = _named(log, record)
            known.status, known.refusal = "draining", NOT_RUNNING
            return [Effect(at, "drain", known.plan.number)]
        case control.Stop() | control.Archive():
            known = _named(log, record)
            known.status, known.refusal = "finished", NOT_RUNNING
            reason = record.reason if isinstance(record, control.Stop) else "stopped"
            return [Effect(at, "stop", known.plan.number, reason)]
        case control.SetPriority():
            known = _named(log, record)
            known.priority = record.priority
            return [Effect(at, "other", known.plan.number)]
        case control.SetSchedule():
            known = _named(log, record)
            known.schedule = model.Schedule(record.start, record.end, record.at_end)
            return _place(log, known, at)
        case _:
            raise InvalidLog(f"records of kind {record.__struct_config__.tag} are not supported")


def _named(log: _Log, record: control.ControlRecord) -> _Flow:
    name = getattr(record, "flow", "")
    if name not in log.flows:
        raise InvalidLog(f"record {record.sequence} names flow {name}, which was never published")
    return log.flows[name]


def _place(log: _Log, known: _Flow, at: int, *, start: bool = False) -> list[Effect]:
    """Put a started flow where its schedule has it; return what that changes for users.

    It is launched only if it did not run before (R22); where it ran and stays, nothing happens.
    """
    before, number = known.status, known.plan.number
    if before not in STARTED and not start:
        return []
    begin, end = _bounds(log, known)
    known.refusal = OUTSIDE
    if end is not None and end <= at:
        if _schedule(known).at_end == "stop":
            known.status = "finished"
            return [Effect(at, "stop", number, "schedule_ended")]
        known.status = "draining"
        return [Effect(at, "drain", number)]
    if begin is not None and begin > at:
        known.status = "scheduled"
        return [Effect(at, "drain", number)] if before == "running" else []
    known.status = "running"
    return [Effect(at, "start", number)] if before != "running" else []


class _Later(msgspec.Struct, frozen=True):
    """An instant at which the schedule of a flow may open or close it."""

    effective_at: int
    sequence: int
    flow: str


def _later(log: _Log, record: control.ControlRecord) -> Iterator[_Later]:
    """Find what the schedules bring after a record; settings may move them, by their zone."""
    match record:
        case control.Publish() | control.Start() | control.SetSchedule():
            touched = [record.flow]
        case control.SetSpace():
            touched = list(log.flows)
        case _:
            touched = []
    for name in touched:
        known = log.flows[name]
        for at in _bounds(log, known) if known.status in STARTED else ():
            if at is not None and at > record.effective_at:
                yield _Later(at, record.sequence, name)


def _counted(aggregates: Iterable[Aggregate]) -> dict[str, tuple[Counted, ...]]:
    """Join aggregates that share a series; it is kept as long as the longest of them needs."""
    by_key: dict[str, Counted] = {}
    for a in aggregates:
        old = by_key.get(a.key)
        horizon = max(a.horizon, old.horizon if old else 0)
        where = compile_condition(a.where).test if a.where else None
        value = compile_value(a.value) if a.value else None
        by_key[a.key] = Counted(a, Matcher(a.event, where), value, horizon)
    found: dict[str, list[Counted]] = {}
    for counted in by_key.values():
        found.setdefault(counted.aggregate.event, []).append(counted)
    return {event: tuple(items) for event, items in found.items()}


def _with_trigger(views: Iterable[FlowView], *kinds: type) -> tuple[FlowView, ...]:
    return tuple(v for v in views if any(isinstance(s.trigger, kinds) for s in v.plan.starts))


def _joining(
    views: Iterable[FlowView],
) -> dict[tuple[str, bool], tuple[tuple[FlowView, Start], ...]]:
    """Map an audience, entered or left, to the first trigger of each flow on it."""
    found: dict[tuple[str, bool], list[tuple[FlowView, Start]]] = {}
    for view in views:
        for start in reversed(view.plan.starts):
            trigger = start.trigger
            if isinstance(trigger, model.OnAudience):
                starts = found.setdefault((trigger.audience, trigger.when != "left"), [])
                starts[:] = [*(s for s in starts if s[0] is not view), (view, start)]
    return {key: tuple(starts) for key, starts in found.items()}


def _heard_by(audience: ComputedAudience) -> frozenset[str]:
    return frozenset(aggregate.event for aggregate in audience.reads.aggregates)


def _priority(known: _Flow) -> int:
    return known.plan.flow.priority if known.priority is None else known.priority


def _era(log: _Log, since: int) -> Era:
    views = sorted(
        (FlowView(k.plan, k.status, _priority(k), k.refusal) for k in log.flows.values()),
        key=lambda view: (-view.priority, view.plan.id),
    )
    entering: dict[str, list[FlowView]] = {}
    for view in views:
        for event in sorted(frozenset().union(*(start.events for start in view.plan.starts))):
            entering.setdefault(event, []).append(view)
    space = log.space
    audiences = tuple(
        ComputedAudience(a.name, compile_condition(a.when), reads(a.when))
        for a in space.audiences
        if a.when is not None
    )
    other = tuple(a for a in audiences if a.reads.flows or a.reads.communications)
    return Era(
        since=since,
        space=space,
        flows=tuple(views),
        by_number={view.plan.number: view for view in views},
        by_id={view.plan.id: view for view in views},
        audiences=audiences,
        static_audiences=frozenset(a.name for a in space.audiences if a.when is None),
        counted=_counted(log.aggregates),
        entering={event: tuple(found) for event, found in entering.items()},
        channels={channel.name: channel for channel in space.channels},
        topics={topic.name: topic for topic in space.topics},
        cap_memory=max((longest_period(cap.limit.per) for cap in space.caps), default=0),
        dated=_with_trigger(views, model.OnDate, model.OnSchedule),
        profiled=_with_trigger(views, model.OnProfile, model.OnTag),
        tagged=bool(_with_trigger(views, model.OnTag)),
        joining=_joining(views),
        hearing={
            event: tuple(a for a in audiences if a in other or event in _heard_by(a))
            for event in frozenset().union(*(_heard_by(a) for a in audiences))
        },
        other=other,
        watching=bool(other) or any(plan.watches for plan in log.plans.values()),
        told=_with_trigger(views, model.OnCommunication),
    )


def catalog_of(records: Iterable[control.ControlRecord], complete_until: int = NEVER) -> Catalog:
    """Read the log; raise InvalidLog for a record that cannot be followed."""
    log, effects, ordered = _Log(), list[Effect](), count()
    eras = [_era(log, 0)]
    known = tuple(sorted(records, key=lambda r: (r.effective_at, r.sequence)))
    queue: list[tuple[int, int, int, control.ControlRecord | _Later]] = [
        (record.effective_at, record.sequence, next(ordered), record) for record in known
    ]
    while queue:
        at, _, _, record = heappop(queue)
        if isinstance(record, _Later):
            effects += _place(log, log.flows[record.flow], at)
        else:
            effects += _apply(log, record)
            for later in _later(log, record):
                heappush(queue, (later.effective_at, later.sequence, next(ordered), later))
        if not queue or queue[0][0] > at:
            eras.append(_era(log, at))
    return Catalog(
        eras=tuple(eras),
        since=tuple(era.since for era in eras),
        effects=tuple(effects),
        effective=tuple(effect.at for effect in effects),
        plans=log.plans,
        numbers=log.numbers,
        ids=tuple(log.numbers),
        heard=log.heard,
        goals=frozenset(g.goal.match.event for plan in log.plans.values() for g in plan.goals),
        complete_until=complete_until,
        records=known,
    )


def records_of(
    flows: Mapping[str, str],
    space: str | None,
    templates: Mapping[str, Mapping[str, str]],
    at: int = 0,
) -> list[control.ControlRecord]:
    """Make the log of flows that were published and started at one instant.

    ``flows`` maps an id to its text, ``templates`` an id to the texts of its templates.
    """
    found: list[control.ControlRecord] = []
    if space is not None:
        found.append(control.SetSpace(sequence=0, effective_at=at, text=space))
    for name, text in sorted(flows.items()):
        record = control.Publish(
            sequence=len(found),
            effective_at=at,
            flow=name,
            version=1,
            text=text,
            templates=dict(sorted(templates.get(name, {}).items())),
        )
        found.append(record)
    for name in sorted(flows):
        found.append(control.Start(sequence=len(found), effective_at=at, flow=name))
    return found
