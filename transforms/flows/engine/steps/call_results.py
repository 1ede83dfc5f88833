"""What comes of a call: its answer is in the session before any effect, and opens a way (C19, P24).

An answer counts once, and only for the session that waits for it: a repeated or late one changes
nothing.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.catalog.compiled import END, Node, Plan
from transforms.flows.definitions.verbs import CallApi, RunCode
from transforms.flows.engine.context import Run, node_of
from transforms.flows.engine.steps.advance import end, exit_conditions
from transforms.flows.engine.steps.calls import keep
from transforms.flows.engine.steps.waits import leave, wait_over
from transforms.flows.protocol.signals import CallResult
from transforms.flows.state.limits import LARGEST
from transforms.flows.state.working import Session

FAILED: Final = "call_failed"
NO_ANSWER: Final = "no answer in time"
TOO_LARGE: Final = "its answer is too large"
LONGEST_ERROR: Final = 200
DEEPEST: Final = 20


def take_answer(run: Run, signal: CallResult, t: int) -> None:
    """Let the session that waits for an answer go on with it."""
    session = _asker(run, signal.call)
    if session is None:
        run.reject("unknown_call", t, detail=signal.call)
        return
    session.call = 0
    plan = run.plan_of(session)
    node = node_of(plan, session)
    error = "" if signal.ok else (signal.error or "it failed")[:LONGEST_ERROR]
    if not _plain(signal.result, 0) or not keep(run, session, node, signal.result, error):
        error = TOO_LARGE
        keep(run, session, node, {}, error)
    if error:
        fail(run, plan, session, node, error, t)
    elif not _exits(run, plan, session, t):
        leave(run, plan, session, node.then, t)


def _asker(run: Run, call: str) -> Session | None:
    owner, _, number = call.rpartition("-")
    for session in run.state.sessions:
        if session.call and session.id == owner and str(session.call) == number:
            return session
    return None


def _plain(value: object, depth: int) -> bool:
    """Tell whether every wire holds a value: whole numbers of 64 bits, and not too deep."""
    match value:
        case dict():
            return depth < DEEPEST and all(_plain(inner, depth + 1) for inner in value.values())
        case list():
            return depth < DEEPEST and all(_plain(inner, depth + 1) for inner in value)
        case int():
            return -LARGEST <= value <= LARGEST
        case _:
            return True


def over(run: Run, plan: Plan, session: Session, t: int) -> None:
    """Go on from a wait whose time has come: that for an answer, too, has its own way."""
    node = node_of(plan, session)
    if type(node.verb) is not CallApi and type(node.verb) is not RunCode:
        wait_over(run, plan, session, t)
        return
    if session.halt is not None:
        session.halt.overdue = True
    session.call = 0
    keep(run, session, node, {}, NO_ANSWER)
    late = node.named.get("timeout")
    if late is None:
        fail(run, plan, session, node, NO_ANSWER, t)
    elif not _exits(run, plan, session, t):
        leave(run, plan, session, late, t, reason="timeout")


def fail(run: Run, plan: Plan, session: Session, node: Node, error: str, t: int) -> None:
    """Say what went wrong (R7), and take the way for it; without one the session ends.

    One that is halted only decides so, and ends at its resume (R26).
    """
    if not session.silent:
        run.reject(FAILED, t, plan.id, error, node.name)
    if _exits(run, plan, session, t):
        return
    target = node.named.get("error")
    if target is None and session.halt is None:
        end(run, plan, session, t, FAILED)
    else:
        leave(run, plan, session, END if target is None else target, t, reason=FAILED)


def _exits(run: Run, plan: Plan, session: Session, t: int) -> bool:
    """Hold what the answer says against the exit conditions: they come before the step."""
    return bool(plan.exit_conditions) and exit_conditions(run, plan, session, t)
