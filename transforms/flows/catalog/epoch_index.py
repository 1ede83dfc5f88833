"""An epoch from what the control log says: indexes over flows, triggers, audiences, aggregates."""

from __future__ import annotations

from collections.abc import Iterable

from transforms.flows.catalog.compiled import CompiledTrigger
from transforms.flows.catalog.epochs import (
    NEVER,
    ComputedAudience,
    Epoch,
    FlowGroup,
    FlowView,
    KeptAggregate,
)
from transforms.flows.catalog.log_state import LogState, view_of
from transforms.flows.catalog.reads import visits_in
from transforms.flows.clock.delays import longest_period
from transforms.flows.definitions.space import Space
from transforms.flows.definitions.triggers.audiences import OnAudience, OnTag
from transforms.flows.definitions.triggers.messages import (
    OnCall,
    OnCommunication,
    OnInbound,
    OnIncoming,
)
from transforms.flows.definitions.triggers.participants import OnParticipant
from transforms.flows.definitions.triggers.profile import OnDate, OnProfile, OnSchedule
from transforms.flows.expressions.evaluation.compile import compile_condition, compile_value
from transforms.flows.expressions.reads import Aggregate, Reads, counted_events, reads_of

Joining = dict[tuple[str, bool], tuple[tuple[FlowView, CompiledTrigger], ...]]


def joining(views: Iterable[FlowView]) -> Joining:
    """Map an audience, entered or left, to the first trigger of each flow on it."""
    by_audience: dict[tuple[str, bool], list[tuple[FlowView, CompiledTrigger]]] = {}
    for view in views:
        for start in reversed(view.plan.triggers):
            trigger = start.trigger
            if isinstance(trigger, OnAudience) and trigger.when != "launch":
                starts = by_audience.setdefault((trigger.audience, trigger.when != "left"), [])
                others = [s for s in starts if s[0] is not view]
                starts[:] = [*others, (view, start)]
    return {key: tuple(starts) for key, starts in by_audience.items()}


def groups_of(space: Space, views: Iterable[FlowView]) -> dict[str, FlowGroup]:
    """Put the flows together that compete, as their newest versions say."""
    flows: dict[str, list[int]] = {group.name: [] for group in space.groups}
    for view in views:
        if view.plan.flow.group in flows:
            flows[view.plan.flow.group].append(view.plan.number)
    return {
        group.name: FlowGroup(
            group,
            frozenset(flows[group.name]),
            max((longest_period(limit.per) for limit in group.limits), default=0),
        )
        for group in space.groups
    }


def _counted(aggregates: Iterable[Aggregate]) -> dict[str | None, tuple[KeptAggregate, ...]]:
    """Join aggregates that share a series; it is kept as long as the longest of them needs."""
    by_key: dict[str, KeptAggregate] = {}
    for a in aggregates:
        old = by_key.get(a.key)
        horizon = max(a.horizon, old.horizon if old else 0)
        where = compile_condition(a.where).test if a.where else None
        value = compile_value(a.value) if a.value else None
        by_key[a.key] = KeptAggregate(a, where, value, horizon)
    by_event: dict[str | None, list[KeptAggregate]] = {}
    for counted in by_key.values():
        by_event.setdefault(counted.aggregate.event, []).append(counted)
    return {event: tuple(items) for event, items in by_event.items()}


def _with_trigger(views: Iterable[FlowView], *kinds: type) -> tuple[FlowView, ...]:
    return tuple(v for v in views if any(isinstance(s.trigger, kinds) for s in v.plan.triggers))


def _any_event(read: Reads) -> bool:
    return bool(read.flows or read.communications or read.messages) or visits_in(read)


def _events_of(audience: ComputedAudience) -> frozenset[str]:
    return frozenset(counted_events(audience.reads.aggregates))


def epoch_of(log: LogState, since: int) -> Epoch:
    """Make the epoch that begins at an instant: what the log says, with indexes over it."""
    views = sorted(
        (view_of(k) for k in log.flows.values()), key=lambda view: (-view.priority, view.plan.id)
    )
    entering: dict[str, list[FlowView]] = {}
    for view in views:
        for event in sorted(frozenset().union(*(start.events for start in view.plan.triggers))):
            entering.setdefault(event, []).append(view)
    space = log.space
    audiences = tuple(
        ComputedAudience(a.name, compile_condition(a.when), reads_of(a.when))
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
        by_event={event: tuple(flows) for event, flows in entering.items()},
        channels={channel.name: channel for channel in space.channels},
        topics={topic.name: topic for topic in space.topics},
        cap_memory=max((longest_period(cap.limit.per) for cap in space.caps), default=0),
        with_dates=_with_trigger(views, OnDate, OnSchedule),
        by_trait=_with_trigger(views, OnProfile, OnTag),
        reads_tags=bool(_with_trigger(views, OnTag)),
        by_audience=joining(views),
        audiences_by_event={
            event: tuple(a for a in audiences if a in other or event in _events_of(a))
            for event in frozenset().union(*(_events_of(a) for a in audiences))
        },
        state_audiences=other,
        has_state_readers=bool(other) or any(plan.has_state_readers for plan in log.plans.values()),
        goal_sets={k.plan.number: k.aims for k in log.flows.values() if k.aims is not None},
        winners=dict(log.winners),
        kill_switches=tuple(log.kills),
        paused=frozenset(k.plan.number for k in log.flows.values() if k.paused),
        by_communication=_with_trigger(views, OnCommunication),
        by_inbound=_with_trigger(views, OnInbound, OnCall, OnIncoming),
        reads_visits=log.every_event_since < NEVER,
        groups=groups_of(space, views),
        campaigns={campaign.name: campaign for campaign in space.campaigns},
        by_participant=_with_trigger(views, OnParticipant),
        untracked=not any(c.agent or c.track or c.links == "short" for c in space.channels),
    )
