"""From the control log to a catalog: every record in order of its effective time, then sequence.

Flows and steps are numbered in the order of the log, so a number never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush
from itertools import count
from typing import assert_never

import msgspec

from transforms.flows.catalog.compile import compile_flow, compile_goals
from transforms.flows.catalog.compiled import ON_EXIT, Matcher, Plan
from transforms.flows.catalog.epochs import (
    NEVER,
    Catalog,
    ComputedAudience,
    Effect,
    Epoch,
    FlowView,
    KeptAggregate,
)
from transforms.flows.catalog.flow_index import groups_of, joining
from transforms.flows.catalog.flow_status import (
    NOT_RUNNING,
    STARTED,
    InvalidLog,
    Known,
    bounds,
    migration,
    pause,
    place,
    resume,
    view_of,
)
from transforms.flows.catalog.reads import visits_in
from transforms.flows.clock.delays import longest_period
from transforms.flows.definitions.flow import Flow, Schedule
from transforms.flows.definitions.space import Space, Template
from transforms.flows.definitions.steps.branches import Split
from transforms.flows.definitions.triggers.audiences import OnTag
from transforms.flows.definitions.triggers.messages import (
    OnCall,
    OnCommunication,
    OnInbound,
    OnIncoming,
)
from transforms.flows.definitions.triggers.participants import OnParticipant
from transforms.flows.definitions.triggers.profile import OnDate, OnProfile, OnSchedule
from transforms.flows.diagnostics import Problem
from transforms.flows.expressions.evaluation.compile import compile_condition, compile_value
from transforms.flows.expressions.reads import Aggregate, Reads, reads
from transforms.flows.protocol import control_records
from transforms.flows.reading.flow import load_flow, load_goals
from transforms.flows.reading.space import load_space
from transforms.flows.templates.message_template import load_template

__all__ = ["InvalidLog", "catalog_of", "records_of"]


class _Log:
    """The state of the world while the log is read."""

    def __init__(self) -> None:
        self.space = Space()
        self.named = False
        self.flows: dict[str, Known] = {}
        self.numbers: dict[str, int] = {}
        self.steps: dict[str, dict[str, int]] = {}
        self.plans: dict[tuple[int, int], Plan] = {}
        self.aggregates: dict[Aggregate, None] = {}
        self.heard: dict[str, int] = {}
        self.hears_all = NEVER
        self.goals: set[str] = set()
        self.winners: dict[tuple[int, int], str] = {}
        self.kills: dict[tuple[int | None, str | None], None] = {}
        self.listens = NEVER

    def number(self, record: control_records.Publish, flow: Flow) -> None:
        """Give the flow and its steps their numbers."""
        self.numbers.setdefault(flow.id, len(self.numbers))
        steps = self.steps.setdefault(flow.id, {})
        names = [step.name for step in flow.steps]
        for name in [*names, *(ON_EXIT + step.name for step in flow.on_exit)]:
            steps.setdefault(name, len(steps))

    def hear(self, events: Iterable[str], at: int, *, every: bool = False) -> None:
        """Note since when an event is read, or every event."""
        self.hears_all = min(at, self.hears_all) if every else self.hears_all
        for event in events:
            self.heard[event] = min(at, self.heard.get(event, NEVER))


def _publish(log: _Log, record: control_records.Publish) -> list[Effect]:
    flow, templates = _loaded(log, record)
    log.number(record, flow)
    number, at = log.numbers[flow.id], record.effective_at
    if (number, record.version) in log.plans:
        raise InvalidLog(f"version {record.version} of {flow.id} is published twice")
    plan = compile_flow(flow, number, record.version, dict(log.steps[flow.id]), templates)
    log.plans[number, record.version] = plan
    known = log.flows.setdefault(flow.id, Known(plan))
    known.plan = plan
    log.hear(plan.events, at, every=plan.reads_visits)
    log.hear((a.event for a in plan.aggregates), at)
    log.aggregates |= dict.fromkeys(plan.aggregates)
    log.goals |= plan.goal_set.events
    log.listens = min(log.listens, at) if plan.reads_inbound else log.listens
    moved = migration(known, record, log.steps[flow.id])
    known.versions.append(plan)
    return [Effect(at, "publish", number), *moved, *place(known, log.space, at)]


def _loaded(log: _Log, record: control_records.Publish) -> tuple[Flow, dict[str, Template]]:
    """Read the texts of a version."""
    what = f"version {record.version} of {record.flow}"
    templates: dict[str, Template] = {}
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


def _space(log: _Log, record: control_records.SetSpace) -> list[Effect]:
    found = load_space("space.yaml", record.text)
    problems = [p for p in found.problems if p.severity == "error"]
    if found.value is None or problems:
        raise InvalidLog("the space's settings have problems", problems)
    _keep_name(log, found.value.name)
    log.space, at = found.value, record.effective_at
    for audience in log.space.audiences:
        if audience.when is not None:
            read = reads(audience.when)
            log.aggregates |= dict.fromkeys(read.aggregates)
            log.hear((a.event for a in read.aggregates), at, every=visits_in(read))
    moved = [effect for known in log.flows.values() for effect in place(known, log.space, at)]
    return [Effect(at, "space"), *moved]


def _keep_name(log: _Log, name: str) -> None:
    """Refuse another name of the space: every id is made of it (R30)."""
    if (log.named or log.flows) and name != log.space.name:
        raise InvalidLog(f"the space is {log.space.name} for good: it cannot become {name}")
    log.named = True


def _apply(log: _Log, record: control_records.ControlRecord) -> list[Effect]:
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


def _goals(log: _Log, record: control_records.SetGoals) -> list[Effect]:
    """Take goals that hold from now on, also for sessions of earlier versions (R24)."""
    known, at = _named(log, record), record.effective_at
    what, campaign = f"goals of {record.flow}", known.plan.campaign
    found = load_goals(what, record.text, log.space, campaign)
    problems = [p for p in found.problems if p.severity == "error"]
    if found.value is None or problems:
        raise InvalidLog(f"the goals of {record.flow} have problems", problems)
    aims = known.aims = compile_goals(found.value)
    log.goals |= aims.events
    log.hear((*aims.events, *(a.event for a in aims.aggregates)), at, every=aims.reads_visits)
    log.aggregates |= dict.fromkeys(aims.aggregates)
    return [Effect(at, "other", known.plan.number)]


def _winner(log: _Log, record: control_records.Winner) -> list[Effect]:
    """Take the best branch of a split, which is none of a holdout or the rest (I28)."""
    plan = _named(log, record).plan
    node = plan.steps.get(plan.step_numbers.get(record.step, -1))
    branches = node.verb.branches if node and isinstance(node.verb, Split) else ()
    if record.branch not in [b.name for b in branches if not (b.holdout or b.rest)]:
        what = f"{record.flow}/{record.step}"
        raise InvalidLog(f"{what} is no split with a branch {record.branch} that may win")
    log.winners[plan.number, plan.step_numbers[record.step]] = record.branch
    return [Effect(record.effective_at, "other", plan.number)]


def _kill(log: _Log, record: control_records.Kill) -> list[Effect]:
    """Turn a kill switch on, or off: that of just this flow and channel."""
    number = None if record.flow is None else _named(log, record).plan.number
    if record.channel not in (None, *(channel.name for channel in log.space.channels)):
        raise InvalidLog(f"record {record.sequence} names channel {record.channel}, which is none")
    log.kills.pop((number, record.channel), None)
    if not record.off:
        log.kills[number, record.channel] = None
    return [Effect(record.effective_at, "other", number)]


def _named(log: _Log, record: control_records.ControlRecord) -> Known:
    name = getattr(record, "flow", "")
    if name not in log.flows:
        raise InvalidLog(f"record {record.sequence} names flow {name}, which was never published")
    return log.flows[name]


class _Later(msgspec.Struct, frozen=True):
    """An instant at which the schedule of a flow may open or close it."""

    effective_at: int
    sequence: int
    flow: str


def _later(log: _Log, record: control_records.ControlRecord) -> Iterator[_Later]:
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
                yield _Later(at, record.sequence, name)


def _counted(aggregates: Iterable[Aggregate]) -> dict[str, tuple[KeptAggregate, ...]]:
    """Join aggregates that share a series; it is kept as long as the longest of them needs."""
    by_key: dict[str, KeptAggregate] = {}
    for a in aggregates:
        old = by_key.get(a.key)
        horizon = max(a.horizon, old.horizon if old else 0)
        where = compile_condition(a.where).test if a.where else None
        value = compile_value(a.value) if a.value else None
        by_key[a.key] = KeptAggregate(a, Matcher(a.event, where), value, horizon)
    found: dict[str, list[KeptAggregate]] = {}
    for counted in by_key.values():
        found.setdefault(counted.aggregate.event, []).append(counted)
    return {event: tuple(items) for event, items in found.items()}


def _with_trigger(views: Iterable[FlowView], *kinds: type) -> tuple[FlowView, ...]:
    return tuple(v for v in views if any(isinstance(s.trigger, kinds) for s in v.plan.triggers))


def _any_event(read: Reads) -> bool:
    return bool(read.flows or read.communications) or visits_in(read)


def _heard_by(audience: ComputedAudience) -> frozenset[str]:
    return frozenset(aggregate.event for aggregate in audience.reads.aggregates)


def _epoch(log: _Log, since: int) -> Epoch:
    views = sorted(
        (view_of(k) for k in log.flows.values()),
        key=lambda view: (-view.priority, view.plan.id),
    )
    entering: dict[str, list[FlowView]] = {}
    for view in views:
        for event in sorted(frozenset().union(*(start.events for start in view.plan.triggers))):
            entering.setdefault(event, []).append(view)
    space = log.space
    audiences = tuple(
        ComputedAudience(a.name, compile_condition(a.when), reads(a.when))
        for a in space.audiences
        if a.when is not None
    )
    other = tuple(a for a in audiences if _any_event(a.reads))
    return Epoch(
        since=since,
        space=space,
        flows=tuple(views),
        by_number={view.plan.number: view for view in views},
        by_id={view.plan.id: view for view in views},
        audiences=audiences,
        static_audiences=frozenset(a.name for a in space.audiences if a.when is None),
        aggregates_by_event=_counted(log.aggregates),
        by_event={event: tuple(found) for event, found in entering.items()},
        channels={channel.name: channel for channel in space.channels},
        topics={topic.name: topic for topic in space.topics},
        cap_memory=max((longest_period(cap.limit.per) for cap in space.caps), default=0),
        with_dates=_with_trigger(views, OnDate, OnSchedule),
        by_trait=_with_trigger(views, OnProfile, OnTag),
        reads_tags=bool(_with_trigger(views, OnTag)),
        by_audience=joining(views),
        audiences_by_event={
            event: tuple(a for a in audiences if a in other or event in _heard_by(a))
            for event in frozenset().union(*(_heard_by(a) for a in audiences))
        },
        state_audiences=other,
        has_state_readers=bool(other) or any(plan.has_state_readers for plan in log.plans.values()),
        goal_sets={k.plan.number: k.aims for k in log.flows.values() if k.aims is not None},
        winners=dict(log.winners),
        kill_switches=tuple(log.kills),
        paused=frozenset(k.plan.number for k in log.flows.values() if k.paused),
        by_communication=_with_trigger(views, OnCommunication),
        by_inbound=_with_trigger(views, OnInbound, OnCall, OnIncoming),
        reads_visits=log.hears_all < NEVER,
        groups=groups_of(space, views),
        campaigns={campaign.name: campaign for campaign in space.campaigns},
        by_participant=_with_trigger(views, OnParticipant),
        untracked=not any(c.agent or c.track or c.links == "short" for c in space.channels),
    )


def catalog_of(
    records: Iterable[control_records.ControlRecord], complete_until: int = NEVER
) -> Catalog:
    """Read the log; raise InvalidLog for a record that cannot be followed."""
    log, effects, ordered = _Log(), list[Effect](), count()
    epochs = [_epoch(log, 0)]
    known = tuple(sorted(records, key=lambda r: (r.effective_at, r.sequence)))
    queue: list[tuple[int, int, int, control_records.ControlRecord | _Later]] = [
        (record.effective_at, record.sequence, next(ordered), record) for record in known
    ]
    while queue:
        at, _, _, record = heappop(queue)
        if isinstance(record, _Later):
            effects += place(log.flows[record.flow], log.space, at)
        else:
            effects += _apply(log, record)
            for later in _later(log, record):
                heappush(queue, (later.effective_at, later.sequence, next(ordered), later))
        if not queue or queue[0][0] > at:
            epochs.append(_epoch(log, at))
    return Catalog(
        epochs=tuple(epochs),
        since=tuple(epoch.since for epoch in epochs),
        effects=tuple(effects),
        effect_times=tuple(effect.at for effect in effects),
        plans=log.plans,
        numbers=log.numbers,
        ids=tuple(log.numbers),
        events_read_since=log.heard,
        all_events_since=log.hears_all,
        goals=frozenset(log.goals),
        complete_until=complete_until,
        records=known,
        migrations=tuple(effect for effect in effects if effect.what == "migrate"),
        priced=any(c.price or c.parts != "one" for epoch in epochs for c in epoch.space.channels),
        inbound_since=log.listens,
    )


def records_of(
    flows: Mapping[str, str],
    space: str | None,
    templates: Mapping[str, Mapping[str, str]],
    at: int = 0,
) -> list[control_records.ControlRecord]:
    """Make the log of flows that were published and started at one instant.

    ``flows`` maps an id to its text, ``templates`` an id to the texts of its templates.
    """
    found: list[control_records.ControlRecord] = []
    if space is not None:
        found.append(control_records.SetSpace(sequence=0, effective_at=at, text=space))
    for name, text in sorted(flows.items()):
        record = control_records.Publish(
            sequence=len(found),
            effective_at=at,
            flow=name,
            version=1,
            text=text,
            templates=dict(sorted(templates.get(name, {}).items())),
        )
        found.append(record)
    for name in sorted(flows):
        found.append(control_records.Start(sequence=len(found), effective_at=at, flow=name))
    return found
