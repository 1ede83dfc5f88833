"""Indexes over the flows of an epoch: by audience, and by group."""

from __future__ import annotations

from collections.abc import Iterable

from transforms.flows.catalog.compiled import CompiledTrigger
from transforms.flows.catalog.epochs import FlowGroup, FlowView
from transforms.flows.clock.delays import longest_period
from transforms.flows.definitions.space import Space
from transforms.flows.definitions.triggers.audiences import OnAudience

Joining = dict[tuple[str, bool], tuple[tuple[FlowView, CompiledTrigger], ...]]


def joining(views: Iterable[FlowView]) -> Joining:
    """Map an audience, entered or left, to the first trigger of each flow on it."""
    found: dict[tuple[str, bool], list[tuple[FlowView, CompiledTrigger]]] = {}
    for view in views:
        for start in reversed(view.plan.triggers):
            trigger = start.trigger
            if isinstance(trigger, OnAudience) and trigger.when != "launch":
                starts = found.setdefault((trigger.audience, trigger.when != "left"), [])
                others = [s for s in starts if s[0] is not view]
                starts[:] = [*others, (view, start)]
    return {key: tuple(starts) for key, starts in found.items()}


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
