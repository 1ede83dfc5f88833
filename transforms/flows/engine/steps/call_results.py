"""What comes of a call: its answer is in the session before any effect, and opens a way (C19, P24).

An answer counts once, and only for the session that waits for it: a repeated or late one changes
nothing.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.catalog.compiled import END
from transforms.flows.definitions.steps.calls import CallApi, RunCode
from transforms.flows.engine.context import Context
from transforms.flows.engine.steps.advance import end, exit_conditions
from transforms.flows.engine.steps.calls import store_result
from transforms.flows.engine.steps.waits import leave_wait, on_wait_due
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import CallResult
from transforms.flows.state.limits import LARGEST

FAILED: Final = "call_failed"
NO_ANSWER: Final = "no answer in time"
TOO_LARGE: Final = "its answer is too large"
LONGEST_ERROR: Final = 200
DEEPEST: Final = 20


def apply_call_result(ctx: Context, signal: CallResult) -> None:
    """Let the session that waits for an answer go on with it."""
    session = _asker(ctx, signal.call)
    if session is None:
        ctx.emit_rejection("unknown_call", detail=signal.call)
        return
    session.awaiting_call = 0
    node = session.node
    error = "" if signal.ok else (signal.error or "it failed")[:LONGEST_ERROR]
    if not _plain(signal.result, 0) or not store_result(ctx, session, signal.result, error):
        error = TOO_LARGE
        store_result(ctx, session, {}, error)
    if error:
        fail_call(ctx, session, error)
    elif not _exits(ctx, session):
        leave_wait(ctx, session, node.then)


def _asker(ctx: Context, call: str) -> Session | None:
    owner, _, number = call.rpartition("-")
    for session in ctx.state.sessions:
        if session.awaiting_call and session.id == owner and str(session.awaiting_call) == number:
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


def on_due(ctx: Context, session: Session) -> None:
    """Go on from a wait whose time has come: that for an answer, too, has its own way."""
    node = session.node
    if type(node.verb) is not CallApi and type(node.verb) is not RunCode:
        on_wait_due(ctx, session)
        return
    if session.halt is not None:
        session.halt.overdue = True
    session.awaiting_call = 0
    store_result(ctx, session, {}, NO_ANSWER)
    late = node.ports.get("timeout")
    if late is None:
        fail_call(ctx, session, NO_ANSWER)
    elif not _exits(ctx, session):
        leave_wait(ctx, session, late, reason="timeout")


def fail_call(ctx: Context, session: Session, error: str) -> None:
    """Say what went wrong (R7), and take the way for it; without one the session ends.

    One that is halted only decides so, and ends at its resume (R26).
    """
    node = session.node
    if not session.silent:
        ctx.emit_rejection(FAILED, session.plan.id, error, node.name)
    if _exits(ctx, session):
        return
    target = node.ports.get("error")
    if target is None and session.halt is None:
        end(ctx, session, FAILED)
    else:
        leave_wait(ctx, session, END if target is None else target, reason=FAILED)


def _exits(ctx: Context, session: Session) -> bool:
    """Hold what the answer says against the exit conditions: they come before the step."""
    return bool(session.plan.exit_conditions) and exit_conditions(ctx, session)
