"""Counts events, and messages that leave, for the aggregates that read them (R18)."""

from __future__ import annotations

from typing import Any

from transforms.flows.catalog.epochs import KeptAggregate
from transforms.flows.engine.context import NOTHING, Context, Data
from transforms.flows.protocol.signals import Event
from transforms.flows.state.series import add
from transforms.flows.state.stored import Series


def count_event(ctx: Context, event: Event, own: int) -> None:
    """Add an event to the aggregates that read it, at its event time."""
    counted = ctx.epoch.aggregates_by_event.get(event.name)
    if not counted:
        return
    view = ctx.view_for()
    for item in counted:
        if item.where is None or item.where(view):
            _add(ctx, item, own)


def count_message(ctx: Context, facts: Data) -> None:
    """Add a message that leaves now to the aggregates that count messages."""
    view = ctx.view_for()
    view.message = facts
    for item in ctx.epoch.aggregates_by_event[None]:
        if item.where is None or item.where(view):
            _add(ctx, item, ctx.now)
    view.message = NOTHING


def _add(ctx: Context, item: KeptAggregate, own: int) -> None:
    value: Any = None
    if item.value is not None:
        value = item.value(ctx.view)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return
    series = ctx.state.series.get(item.aggregate.key)
    if series is None:
        series = ctx.state.series[item.aggregate.key] = Series()
    add(series, own, value, item.horizon)
