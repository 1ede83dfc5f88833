"""What an entry keeps of the event or record that starts it, its key, and their limits."""

from __future__ import annotations

from transforms.flows.catalog.compiled import Plan
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.limits import ENTRY_BOUND, fits
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.ids import key_text


def kept_fields(ctx: Context, plan: Plan, data: Data) -> Data:
    """Return the entry fields that the version or a goal of a control record reads (R24, R27)."""
    fields = plan.entry_fields
    if ctx.epoch.goal_sets:
        fields = fields | ctx.goals_of(plan).fields
    return {name: value for name, value in data.items() if name in fields}


def key_of(ctx: Context, plan: Plan, data: Data) -> str | None:
    """Return the session key for entry data (R20), None if it has no value.

    A flow without ``key:`` has only the empty key.
    """
    if plan.key is None:
        return ""
    scope = ctx.view_for(plan)
    scope.entry = data
    return key_text(plan.key(scope))


def over_limit(ctx: Context, kept: Data) -> str | None:
    """Return a reason if kept data is over the limit of one session or of all."""
    size = encoded_size(kept) if kept else 0
    return None if size <= ENTRY_BOUND and fits(ctx.state, size) else "value_too_large"
