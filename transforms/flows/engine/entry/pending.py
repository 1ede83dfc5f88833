"""A trigger's progress for this user: parts of a combination, held changes, future dates."""

from __future__ import annotations

from transforms.flows.catalog.compiled import CompiledTrigger
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.definitions.triggers.profile import OnProfile
from transforms.flows.engine.context import Context
from transforms.flows.state.stored import Pending


def pending_of(ctx: Context, view: FlowView, compiled: CompiledTrigger) -> Pending | None:
    """Return the trigger's progress for this user."""
    for pending in ctx.state.pending:
        if pending.flow == view.plan.number and pending.trigger == compiled.number:
            return pending
    return None


def set_pending(
    ctx: Context, pending: Pending | None, view: FlowView, compiled: CompiledTrigger
) -> None:
    """Replace the trigger's progress."""
    rest = [
        p for p in ctx.state.pending if p.flow != view.plan.number or p.trigger != compiled.number
    ]
    ctx.state.pending = rest if pending is None else [*rest, pending]


def still_held(ctx: Context, view: FlowView, compiled: CompiledTrigger, trigger: OnProfile) -> bool:
    """Return True if a change that must hold for a period still holds."""
    scope = ctx.view_for(view.plan)
    if compiled.after is not None and ctx.state.traits.get(trigger.trait) != compiled.after(scope):
        return False
    return compiled.where is None or compiled.where(scope)
