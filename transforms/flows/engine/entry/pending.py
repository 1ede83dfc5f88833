"""A trigger's progress for this user: parts of a combination, held changes, future dates.

Only a combination may have several, one for each key.
"""

from __future__ import annotations

from transforms.flows.catalog.compiled import CompiledTrigger
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.definitions.triggers.profile import OnProfile
from transforms.flows.engine.context import Context
from transforms.flows.state.stored import Pending


def all_pending(ctx: Context, view: FlowView, compiled: CompiledTrigger) -> list[Pending]:
    """Return the trigger's progress for this user, for each key."""
    flow, trigger = view.plan.number, compiled.number
    return [p for p in ctx.state.pending if p.flow == flow and p.trigger == trigger]


def pending_of(ctx: Context, view: FlowView, compiled: CompiledTrigger) -> Pending | None:
    """Return the progress of a trigger that has no more than one."""
    found = all_pending(ctx, view, compiled)
    return found[0] if found else None


def replace_pending(ctx: Context, old: list[Pending], new: list[Pending]) -> None:
    """Replace some of the user's progress in triggers."""
    gone = set(map(id, old))
    ctx.state.pending = [*(p for p in ctx.state.pending if id(p) not in gone), *new]


def set_pending(
    ctx: Context, pending: Pending | None, view: FlowView, compiled: CompiledTrigger
) -> None:
    """Replace all progress of a trigger."""
    replace_pending(ctx, all_pending(ctx, view, compiled), [] if pending is None else [pending])


def still_held(ctx: Context, view: FlowView, compiled: CompiledTrigger, trigger: OnProfile) -> bool:
    """Return True if a change that must hold for a period still holds."""
    scope = ctx.view_for(view.plan)
    if compiled.after is not None and ctx.state.traits.get(trigger.trait) != compiled.after(scope):
        return False
    return compiled.where is None or compiled.where(scope)
