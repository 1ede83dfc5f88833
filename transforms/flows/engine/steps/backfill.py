"""What loaded history means for sessions: it moves none, and what it makes true is no news (R10)."""

from __future__ import annotations

from transforms.flows.definitions.verbs import WaitFor
from transforms.flows.engine.context import Run, node_of
from transforms.flows.engine.steps.advance import exit_conditions, holds, recheck
from transforms.flows.state.working import Session


def take_note(run: Run, t: int) -> None:
    """Note, for each live session, which conditions are true now, and when time changes them."""
    for session in run.in_order():
        plan = run.plan_of(session)
        if plan.exit_conditions:
            exit_conditions(run, plan, session, t, start=True)
        node = node_of(plan, session)
        if isinstance(node.verb, WaitFor) and any(node.conditions):
            true = [
                index
                for index, condition in enumerate(node.conditions)
                if condition is not None
                and index not in session.happened
                and holds(run, plan, session, node, index, t)
            ]
            session.loaded = true or None
        recheck(run, plan, session, t)


def no_news(session: Session, index: int, true: bool) -> bool:
    """Tell whether a condition of a wait is true by loaded history; it counts once it was false."""
    if session.loaded is None or index not in session.loaded:
        return False
    if not true:
        session.loaded = [known for known in session.loaded if known != index] or None
    return true
