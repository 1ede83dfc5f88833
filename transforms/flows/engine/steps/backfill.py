"""What loaded history means for sessions: it moves none, and what it makes true is no news (R10)."""

from __future__ import annotations

from transforms.flows.definitions.steps.waits import WaitFor
from transforms.flows.engine.context import Context
from transforms.flows.engine.steps.advance import exit_conditions, holds, recheck
from transforms.flows.engine.working import Session


def note_baseline(ctx: Context) -> None:
    """Note, for each live session, which conditions are true now, and when time changes them."""
    for session in ctx.sessions_in_order():
        plan = session.plan
        if plan.exit_conditions:
            exit_conditions(ctx, session, start=True)
        node = session.node
        if isinstance(node.verb, WaitFor) and any(node.conditions):
            true = [
                index
                for index, condition in enumerate(node.conditions)
                if condition is not None
                and index not in session.matched_cases
                and holds(ctx, session, index)
            ]
            session.baseline = true or None
        recheck(ctx, session)


def in_baseline(session: Session, index: int, true: bool) -> bool:
    """Tell whether a condition of a wait is true by loaded history; it counts once it was false."""
    if session.baseline is None or index not in session.baseline:
        return False
    if not true:
        session.baseline = [known for known in session.baseline if known != index] or None
    return true
