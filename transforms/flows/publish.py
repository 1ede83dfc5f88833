"""From the control log to a catalog: every record in order of its effective time, then sequence.

Flows and steps are numbered in the order of the log, so a number never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
from transforms.flows.plan import ON_EXIT, Matcher, Plan, Start, compile_flow
from transforms.flows.templates import load_template
from transforms.flows.times import instant, longest_period, zone

UNSUPPORTED = (control.Pause, control.Resume, control.SetGoals, control.Winner, control.Kill)


NOT_RUNNING, OUTSIDE = "flow_not_running", "outside_schedule"


class InvalidLog(ValueError):
    """A record of the log cannot be followed; ``problems`` says where and why."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class _Draft(msgspec.Struct):
    """What the records have said of one flow so far."""

    plan: Plan
    status: Status
    refusal: str
    priority: int
    schedule: model.Schedule


class _Log:
    """The state of the world while the log is read."""

    def __init__(self) -> None:
        self.space = model.Space()
        self.flows: dict[str, _Draft] = {}
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


def _publish(log: _Log, record: control.Publish) -> Effect:
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
        raise InvalidLog(f"version {record.version} of {record.flow} has problems", problems)
    flow = found.value
    log.number(record, flow)
    number = log.numbers[flow.id]
    plan = compile_flow(flow, number, record.version, dict(log.steps[flow.id]), templates)
    log.plans[number, record.version] = plan
    old = log.flows.get(flow.id)
    status: Status = old.status if old else "draft"
    refusal = old.refusal if old else NOT_RUNNING
    log.flows[flow.id] = _Draft(plan, status, refusal, flow.priority, flow.schedule)
    log.hear(plan.events, record.effective_at)
    log.hear((a.event for a in plan.aggregates), record.effective_at)
    log.aggregates |= dict.fromkeys(plan.aggregates)
    return Effect(record.effective_at, "publish", number)


def _space(log: _Log, record: control.SetSpace) -> Effect:
    found = load_space("space.yaml", record.text)
    problems = [p for p in found.problems if p.severity == "error"]
    if found.value is None or problems:
        raise InvalidLog("the space's settings have problems", problems)
    log.space = found.value
    for audience in log.space.audiences:
        if audience.when is not None:
            aggregates = reads(audience.when).aggregates
            log.aggregates |= dict.fromkeys(aggregates)
            log.hear((a.event for a in aggregates), record.effective_at)
    return Effect(record.effective_at, "space")


def _bounds(log: _Log, draft: _Draft) -> tuple[int | None, int | None]:
    """Return the start and the end of a flow's schedule as instants."""
    where = zone(draft.plan.flow.zone, log.space.zone)
    schedule = draft.schedule
    start = instant(schedule.start, where) if schedule.start else None
    return start, instant(schedule.end, where) if schedule.end else None


def _apply(log: _Log, record: control.ControlRecord) -> list[Effect]:
    """Take one record in; return its effects, also those that a schedule brings later."""
    at = record.effective_at
    match record:
        case control.Publish():
            return [_publish(log, record)]
        case control.SetSpace():
            return [_space(log, record)]
        case control.Start():
            return _start(log, record)
        case control.Drain():
            draft = _draft(log, record)
            draft.status, draft.refusal = "draining", NOT_RUNNING
            return [Effect(at, "drain", log.numbers[record.flow])]
        case control.Stop() | control.Archive():
            draft = _draft(log, record)
            draft.status, draft.refusal = "finished", NOT_RUNNING
            reason = record.reason if isinstance(record, control.Stop) else "stopped"
            return [Effect(at, "stop", log.numbers[record.flow], reason)]
        case control.SetPriority():
            _draft(log, record).priority = record.priority
            return [Effect(at, "other", log.numbers[record.flow])]
        case control.SetSchedule():
            draft = _draft(log, record)
            draft.schedule = model.Schedule(record.start, record.end, record.at_end)
            return _start(log, record) if draft.status in ("running", "scheduled") else []
        case _:
            raise InvalidLog(f"records of kind {record.__struct_config__.tag} are not supported")


def _draft(log: _Log, record: control.ControlRecord) -> _Draft:
    name = getattr(record, "flow", "")
    if name not in log.flows:
        raise InvalidLog(f"record {record.sequence} names flow {name}, which was never published")
    return log.flows[name]


class _Later(msgspec.Struct, frozen=True):
    """A change of status that a schedule brings at its time."""

    effective_at: int
    sequence: int
    flow: str
    what: str


def _start(log: _Log, record: control.ControlRecord) -> list[Effect]:
    draft, at = _draft(log, record), record.effective_at
    begin, _ = _bounds(log, draft)
    draft.status = "scheduled" if begin is not None and begin > at else "running"
    draft.refusal = OUTSIDE
    kind = "start" if draft.status == "running" else "other"
    return [Effect(at, kind, draft.plan.number)]  # type: ignore[arg-type]


def _later(log: _Log, record: control.ControlRecord) -> list[_Later]:
    """Return what the schedule of a started flow brings after the record."""
    if not isinstance(record, (control.Start, control.SetSchedule)):
        return []
    draft, at = _draft(log, record), record.effective_at
    begin, end = _bounds(log, draft)
    found = []
    if begin is not None and begin > at:
        found.append(_Later(begin, record.sequence, record.flow, "start"))
    if end is not None and end > at:
        found.append(_Later(end, record.sequence, record.flow, draft.schedule.at_end))
    return found


def _apply_later(log: _Log, later: _Later) -> list[Effect]:
    draft = log.flows[later.flow]
    begin, end = _bounds(log, draft)
    if later.effective_at not in (begin, end) or draft.status not in ("scheduled", "running"):
        return []
    number = draft.plan.number
    match later.what:
        case "start":
            draft.status = "running"
            return [Effect(later.effective_at, "start", number)]
        case "stop":
            draft.status = "finished"
            return [Effect(later.effective_at, "stop", number, "schedule_ended")]
        case _:
            draft.status = "draining"
            return [Effect(later.effective_at, "drain", number)]


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


def _era(log: _Log, since: int) -> Era:
    views = sorted(
        (FlowView(d.plan, d.status, d.priority, d.refusal) for d in log.flows.values()),
        key=lambda view: (-view.priority, view.plan.flow.id),
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
        by_id={view.plan.flow.id: view for view in views},
        audiences=audiences,
        static_audiences=frozenset(a.name for a in space.audiences if a.when is None),
        counted=_counted(log.aggregates),
        entering={event: tuple(found) for event, found in entering.items()},
        channels={channel.name: channel for channel in space.channels},
        topics={topic.name: topic for topic in space.topics},
        cap_memory=max((longest_period(cap.limit.per) for cap in space.caps), default=0),
        dated=_with_trigger(views, model.OnDate, model.OnSchedule),
        profiled=_with_trigger(views, model.OnProfile),
        joining=_joining(views),
        hearing={
            event: tuple(a for a in audiences if a in other or event in _heard_by(a))
            for event in frozenset().union(*(_heard_by(a) for a in audiences))
        },
        other=other,
    )


def catalog_of(records: Iterable[control.ControlRecord], complete_until: int = NEVER) -> Catalog:
    """Read the log; raise InvalidLog for a record that cannot be followed."""
    log, effects, eras = _Log(), list[Effect](), list[Era]()
    queue: list[control.ControlRecord | _Later] = sorted(
        records, key=lambda r: (r.effective_at, r.sequence)
    )
    known = tuple(r for r in queue if not isinstance(r, _Later))
    while queue:
        record = queue.pop(0)
        if isinstance(record, _Later):
            effects += _apply_later(log, record)
        else:
            effects += _apply(log, record)
            queue = sorted(
                [*queue, *_later(log, record)], key=lambda r: (r.effective_at, r.sequence)
            )
        if not queue or queue[0].effective_at > record.effective_at:
            eras.append(_era(log, record.effective_at))
    if not eras:
        eras.append(_era(log, 0))
    return Catalog(
        eras=tuple(eras),
        since=tuple(era.since for era in eras),
        effects=tuple(effects),
        effective=tuple(effect.at for effect in effects),
        plans=log.plans,
        numbers=log.numbers,
        ids=tuple(log.numbers),
        heard=log.heard,
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
