"""Shared by steps: withholding of effects in silent sessions, and session variables."""

from __future__ import annotations

from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.limits import VARIABLES_BOUND, fits
from transforms.flows.engine.working import Session
from transforms.flows.state.codec import encoded_size


def withheld(ctx: Context, session: Session) -> bool:
    """Return True if the session is silent, and write a rejection (R19)."""
    if session.silent:
        ctx.emit_rejection("holdout", session.plan.id, step=session.node.name)
    return session.silent


def withheld_or_killed(ctx: Context, session: Session) -> bool:
    """Return True if the holdout or the kill switch forbids effects, and write a rejection."""
    if withheld(ctx, session):
        return True
    killed = killed_by_switch(ctx, session)
    if killed:
        ctx.emit_rejection("killed", session.plan.id, step=session.node.name)
    return killed


def killed_by_switch(ctx: Context, session: Session) -> bool:
    """Return True if the kill switch stops what the flow sends anywhere."""
    return bool(ctx.epoch.kill_switches) and ctx.epoch.killed(session.plan.number, None)


def set_variables(ctx: Context, session: Session, variables: Data) -> bool:
    """Replace the session's variables; return False if they are over a bound."""
    size = encoded_size(variables)
    more = size - encoded_size(session.variables)
    if size > VARIABLES_BOUND or (more > 0 and not fits(ctx.state, more)):
        return False
    session.variables = variables
    ctx.invalidate_view()
    return True
