"""Flow groups: limits on a user's flows at a time, and on entries per period (P15).

A limit of one flow at a time is mutual exclusion: a user in one flow cannot enter another. If one
signal matches several flows, the flow with the highest priority is first (R3).
"""

from __future__ import annotations

from transforms.flows.catalog.compiled import Plan
from transforms.flows.catalog.epochs import FlowGroup
from transforms.flows.clock.delays import period_start
from transforms.flows.engine.context import Context


def refusal(ctx: Context, plan: Plan) -> str | None:
    """Return the reason if a flow's group refuses the user, else None.

    Silent sessions do not count, because they have no effect on others (R19).
    """
    name = plan.flow.group
    found = ctx.epoch.groups.get(name) if name is not None else None
    if found is None:
        return None
    most = found.group.at_once
    if most is not None:
        live = {s.flow for s in ctx.state.sessions if s.flow in found.flows and not s.silent}
        if len(live - {plan.number}) >= most:
            return "excluded"
    for limit in found.group.limits:
        if _entries(ctx, found, period_start(limit.per, ctx.now, ctx.zone_of(plan))) >= limit.most:
            return "group_limit"
    return None


def _entries(ctx: Context, found: FlowGroup, since: int) -> int:
    histories, flows = ctx.state.histories, ctx.epoch.by_number
    return sum(
        1
        for number in found.flows
        if number in histories and not ctx.held_out(flows[number].plan)
        for visit in histories[number].visits
        if visit.entered > since
    )


def memory(ctx: Context, plan: Plan) -> int:
    """Return for how long the entries of a flow count in its group."""
    name = plan.flow.group
    found = ctx.epoch.groups.get(name) if name is not None else None
    return found.memory if found is not None else 0
