"""The epochs of a log: indexes over flows, triggers, audiences and aggregates.

An epoch is made from the one before. It shares the indexes of what did not change, so publishing one
of many flows costs little.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from transforms.flows.catalog.compiled import CompiledTrigger, Plan
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

BY_TRIGGER: dict[str, tuple[type, ...]] = {
    "with_dates": (OnDate, OnSchedule),
    "by_trait": (OnProfile, OnTag),
    "by_communication": (OnCommunication,),
    "by_inbound": (OnInbound, OnCall, OnIncoming),
    "by_participant": (OnParticipant,),
}
"""The indexes of flows by kinds of triggers."""


def first_epoch(log: LogState) -> Epoch:
    """Make the epoch before the first record."""
    empty = Epoch(
        since=0,
        space=log.space,
        flows=(),
        by_number={},
        by_id={},
        audiences=(),
        static_audiences=frozenset(),
        aggregates_by_event={},
        by_event={},
        channels={},
        topics={},
        cap_memory=0,
        with_dates=(),
        by_trait=(),
        by_audience={},
        audiences_by_event={},
        state_audiences=(),
        has_state_readers=False,
        by_communication=(),
        reads_tags=False,
        paused=frozenset(),
        goal_sets={},
        winners={},
        kill_switches=(),
    )
    return empty.with_changes(0, _of_space(log.space))


def next_epoch(log: LogState, since: int, before: Epoch) -> Epoch:
    """Make the epoch that begins at an instant: what changed in the log since the one before."""
    new: dict[str, Any] = {}
    if log.space is not before.space:
        new |= _of_space(log.space)
    if log.counted:
        new["aggregates_by_event"] = _counted(before.aggregates_by_event, log.counted)
    views = [view_of(log.flows[name]) for name in sorted(log.changed)]
    views = [view for view in views if not _same(before.by_id.get(view.plan.id), view)]
    if views:
        new |= _of_flows(before, views)
    if log.changed:
        new |= _set_by_records(log, before)
    replanned = any(_other_plan(before, view) for view in views)
    if replanned or "groups" in new:
        new["groups"] = groups_of(log.space, new.get("flows", before.flows))
    if log.winners != before.winners:
        new["winners"] = dict(log.winners)
    new["kill_switches"] = tuple(log.kills)
    others = new.get("state_audiences", before.state_audiences)
    new["has_state_readers"] = bool(others) or log.has_state_readers
    new["reads_visits"] = log.every_event_since < NEVER
    log.changed, log.counted = set(), []
    return before.with_changes(since, new)


# --- what the settings say -----------------------------------------------------------------------


def _of_space(space: Space) -> dict[str, Any]:
    audiences = tuple(
        ComputedAudience(a.name, compile_condition(a.when), reads_of(a.when))
        for a in space.audiences
        if a.when is not None
    )
    other = tuple(a for a in audiences if _any_event(a.reads))
    return {
        "space": space,
        "audiences": audiences,
        "static_audiences": frozenset(a.name for a in space.audiences if a.when is None),
        "channels": {channel.name: channel for channel in space.channels},
        "topics": {topic.name: topic for topic in space.topics},
        "cap_memory": max((longest_period(cap.limit.per) for cap in space.caps), default=0),
        "audiences_by_event": {
            event: tuple(a for a in audiences if a in other or event in _events_of(a))
            for event in frozenset().union(*(_events_of(a) for a in audiences))
        },
        "state_audiences": other,
        "groups": {},
        "campaigns": {campaign.name: campaign for campaign in space.campaigns},
        "untracked": not any(c.agent or c.track or c.links == "short" for c in space.channels),
    }


def _any_event(read: Reads) -> bool:
    return bool(read.flows or read.communications or read.messages) or visits_in(read)


def _events_of(audience: ComputedAudience) -> frozenset[str]:
    return frozenset(counted_events(audience.reads.aggregates))


def groups_of(space: Space, views: Iterable[FlowView]) -> dict[str, FlowGroup]:
    """Put the flows together that compete, as their newest versions say."""
    flows: dict[str, list[int]] = {group.name: [] for group in space.groups}
    for view in views if flows else ():
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


# --- aggregates ----------------------------------------------------------------------------------

Kept = Mapping[str | None, tuple[KeptAggregate, ...]]


def _counted(before: Kept, aggregates: Iterable[Aggregate]) -> dict[str | None, Any]:
    """Join aggregates that share a series; it is kept as long as the longest of them needs."""
    by_event = dict(before)
    for a in aggregates:
        kept = by_event.get(a.event, ())
        old = next((one for one in kept if one.aggregate.key == a.key), None)
        where = compile_condition(a.where).test if a.where else None
        value = compile_value(a.value) if a.value else None
        new = KeptAggregate(a, where, value, max(a.horizon, old.horizon if old else 0))
        by_event[a.event] = (
            (*kept, new) if old is None else tuple(new if one is old else one for one in kept)
        )
    return by_event


# --- flows ---------------------------------------------------------------------------------------


def _of_flows(before: Epoch, views: Collection[FlowView]) -> dict[str, Any]:
    """Return the indexes of flows in which some are new or different."""
    old = [found for view in views if (found := before.by_id.get(view.plan.id)) is not None]
    plans = [view.plan for view in (*old, *views)]
    new: dict[str, Any] = {
        "flows": _with(before.flows, old, views),
        "by_number": before.by_number | {view.plan.number: view for view in views},
        "by_id": before.by_id | {view.plan.id: view for view in views},
        "by_event": dict(before.by_event),
    }
    for name, kinds in BY_TRIGGER.items():
        if any(_has(plan, kinds) for plan in plans):
            these = [view for view in views if _has(view.plan, kinds)]
            new[name] = _with(getattr(before, name), old, these)
    if "by_trait" in new:
        new["reads_tags"] = any(_has(view.plan, (OnTag,)) for view in new["by_trait"])
    for event, these in _by_event(plans, views).items():
        flows = _with(before.by_event.get(event, ()), old, these)
        new["by_event"][event] = flows
        if not flows:
            del new["by_event"][event]
    if any(_has(plan, (OnAudience,)) for plan in plans):
        new["by_audience"] = joining(new["flows"])
    return new


def _by_event(plans: Iterable[Plan], views: Iterable[FlowView]) -> Mapping[str, list[FlowView]]:
    """Map each event that may start one of the plans to the views that it may start."""
    index: dict[str, list[FlowView]] = {
        event: [] for plan in plans for start in plan.triggers for event in start.events
    }
    for view in views:
        for event in frozenset().union(*(start.events for start in view.plan.triggers)):
            index[event].append(view)
    return index


def _with(
    index: Iterable[FlowView], old: Iterable[FlowView], new: Iterable[FlowView]
) -> tuple[FlowView, ...]:
    """Replace flows in an index, which is in order of priority, then id."""
    found = list(index)
    for view in old:
        place = bisect_left(found, _order(view), key=_order)
        if place < len(found) and found[place] is view:
            del found[place]
    for view in new:
        insort(found, view, key=_order)
    return tuple(found)


def _order(view: FlowView) -> tuple[int, str]:
    return -view.priority, view.plan.id


def _has(plan: Plan, kinds: tuple[type, ...]) -> bool:
    return any(isinstance(start.trigger, kinds) for start in plan.triggers)


def _same(old: FlowView | None, view: FlowView) -> bool:
    if old is None or old.plan is not view.plan or old.status != view.status:
        return False
    return old.priority == view.priority and old.refusal == view.refusal


def _other_plan(before: Epoch, view: FlowView) -> bool:
    old = before.by_id.get(view.plan.id)
    return old is None or old.plan is not view.plan


def joining(views: Iterable[FlowView]) -> Joining:
    """Map an audience, entered or left, to the first trigger of each flow on it."""
    by_audience: dict[tuple[str, bool], list[tuple[FlowView, CompiledTrigger]]] = {}
    for view in views:
        for start in reversed(view.plan.triggers):
            trigger = start.trigger
            if isinstance(trigger, OnAudience) and trigger.when != "launch":
                starts = by_audience.setdefault((trigger.audience, trigger.when != "left"), [])
                if starts and starts[-1][0] is view:
                    starts.pop()
                starts.append((view, start))
    return {key: tuple(starts) for key, starts in by_audience.items()}


def _set_by_records(log: LogState, before: Epoch) -> dict[str, Any]:
    """Return what records set of flows: goals, and which are paused."""
    changed = [log.flows[name] for name in log.changed]
    goals = {known.plan.number: known.aims for known in changed if known.aims is not None}
    paused = {known.plan.number for known in changed if known.paused}
    numbers = {known.plan.number for known in changed}
    new: dict[str, Any] = {}
    if any(before.goal_sets.get(number) is not aims for number, aims in goals.items()):
        new["goal_sets"] = before.goal_sets | goals
    if before.paused & numbers != paused:
        new["paused"] = before.paused - numbers | paused
    return new
