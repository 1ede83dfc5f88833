"""The indexes of an epoch made from all its flows at once, to compare with those that grew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from transforms.flows.catalog.compiled import CompiledTrigger
from transforms.flows.catalog.epoch_index import groups_of
from transforms.flows.catalog.epochs import Epoch, FlowView
from transforms.flows.definitions.triggers.audiences import OnAudience, OnTag
from transforms.flows.definitions.triggers.messages import (
    OnCall,
    OnCommunication,
    OnInbound,
    OnIncoming,
)
from transforms.flows.definitions.triggers.participants import OnParticipant
from transforms.flows.definitions.triggers.profile import OnDate, OnProfile, OnSchedule


def joining(views: Iterable[FlowView]) -> dict[tuple[str, bool], Any]:
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


def _with_trigger(views: Iterable[FlowView], *kinds: type) -> tuple[FlowView, ...]:
    return tuple(v for v in views if any(isinstance(s.trigger, kinds) for s in v.plan.triggers))


def indexes(epoch: Epoch) -> dict[str, Any]:
    """Return each index over the flows of an epoch, made anew from ``by_id`` and the space."""
    views = sorted(epoch.by_id.values(), key=lambda view: (-view.priority, view.plan.id))
    entering: dict[str, list[FlowView]] = {}
    for view in views:
        for event in sorted(frozenset().union(*(start.events for start in view.plan.triggers))):
            entering.setdefault(event, []).append(view)
    return {
        "flows": tuple(views),
        "by_number": {view.plan.number: view for view in views},
        "by_event": {event: tuple(flows) for event, flows in entering.items()},
        "with_dates": _with_trigger(views, OnDate, OnSchedule),
        "by_trait": _with_trigger(views, OnProfile, OnTag),
        "reads_tags": bool(_with_trigger(views, OnTag)),
        "by_audience": joining(views),
        "by_communication": _with_trigger(views, OnCommunication),
        "by_inbound": _with_trigger(views, OnInbound, OnCall, OnIncoming),
        "by_participant": _with_trigger(views, OnParticipant),
        "groups": groups_of(epoch.space, views),
    }
