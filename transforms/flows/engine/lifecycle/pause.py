"""Sessions that stand still: their flow is paused, or a command holds them (R26, B8, B9).

No step of theirs runs, but they decide: what ends a wait is noted, and done at the resume.
"""

from __future__ import annotations

from transforms.flows.definitions.verbs import CallApi, Wait, WaitFor, WaitVisit
from transforms.flows.engine.context import Run, node_of
from transforms.flows.engine.lifecycle.migrate import go_on, missed, take_along
from transforms.flows.engine.messages.statuses import cancel_key, give_up, restay
from transforms.flows.engine.profile import visits
from transforms.flows.engine.steps.advance import end
from transforms.flows.protocol.signals import Command
from transforms.flows.state.ids import key_text
from transforms.flows.state.stored import Halt
from transforms.flows.state.working import Session

PAUSED, HELD = 1, 2
WHY = {PAUSED: "paused", HELD: "held"}
RESUMES = ("fire", "shift", "skip")
EVERY_FLOW = -1


def pause(run: Run, flow: int | None, how: str, t: int) -> None:
    """Let the sessions of a flow stand still, and its planned messages stay (R14)."""
    for session in run.in_order():
        if session.flow == flow:
            _halt(run, session, PAUSED, how, t)
    restay(run, t)


def resume(run: Run, flow: int | None, how: str, t: int) -> None:
    """Let a flow's sessions go on from what was decided."""
    if how == "skip":
        live = {session.id for session in run.state.sessions}
        give_up(run, lambda sent: sent.flow == flow and sent.session not in live, t)
    for session in run.in_order():
        if session.flow == flow:
            _go_on(run, session, PAUSED, t)
    restay(run, t)


def command(run: Run, order: Command, t: int, by: str | None = None) -> None:
    """Hold, resume or stop a user's sessions of one flow or of all, or suppress entries.

    A stop cancels what they have planned, also those that are over (P22). ``key`` in the data
    means the sessions of that key alone. ``by`` is the session of which a
    step gave the order, which is spared itself.
    """
    number = None if order.flow is None else run.catalog.numbers.get(order.flow)
    if order.flow is not None and number is None:
        run.reject("unknown_flow", t, order.flow)
        return
    if order.what == "suppress":
        _suppress(run, EVERY_FLOW if number is None else number, order)
        return
    key = key_text(order.data.get("key"))
    for session in run.in_order():
        if number not in (None, session.flow) or session.ended is not None or session.id == by:
            continue
        if key not in (None, session.key):
            continue
        match order.what:
            case "hold":
                how = order.data.get("resume")
                _halt(run, session, HELD, how if how in RESUMES else RESUMES[0], t)
            case "resume":
                _go_on(run, session, HELD, t)
            case _:
                reason = "stopped" if by is None else "unenrolled"
                end(run, run.plan_of(session), session, t, reason, forced=True)
    if order.what == "stop" and by is None:
        cancel_key(run, number, key, t)
    restay(run, t)


def _suppress(run: Run, flow: int, order: Command) -> None:
    """Take no entries of this user into a flow, or into any, until the same is said with off."""
    rest = [number for number in run.state.suppressed if number != flow]
    run.state.suppressed = rest if order.data.get("off") is True else [*rest, flow]


def suppressed(run: Run, flow: int) -> bool:
    """Tell whether a command keeps the user out of a flow (R19)."""
    return flow in run.state.suppressed or EVERY_FLOW in run.state.suppressed


def _halt(run: Run, session: Session, by: int, how: str, t: int) -> None:
    """Let a session stand still; of two reasons the first says what the resume does."""
    plan, halt = run.plan_of(session), session.halt
    node = node_of(plan, session)
    if halt is None:
        halt = session.halt = Halt(t, by, how)
        # A date or a window stays where it is; only lengths of time are extended.
        if how == "shift" and isinstance(node.verb, (Wait, WaitFor, CallApi)):
            halt.left = None if session.due is None else session.due - t
            session.due = None
        elif how == "shift" and isinstance(node.verb, WaitVisit):
            halt.left = visits.hold(run, session, t)
    elif halt.by & by:
        return
    halt.by |= by
    run.move("waiting", plan, session, node.name, t, reason=WHY[by], until=session.due)


def _go_on(run: Run, session: Session, by: int, t: int) -> None:
    """Take one reason to stand still away; with the last, go on from what was decided."""
    plan, halt = run.plan_of(session), session.halt
    if halt is None or session.ended is not None or not halt.by & by:
        return
    halt.by &= ~by
    if halt.by:
        return
    if halt.how == "skip":
        give_up(run, lambda sent: sent.session == session.id, t)
        if halt.overdue:
            end(run, plan, session, t, "overdue", forced=True)
            return
    versions = missed(run, session, halt.since, t)
    if halt.target is not None:
        go_on(run, session, versions, halt.target, halt.why, t)
        return
    session.halt = None
    node = node_of(plan, session)
    if halt.left is not None and isinstance(node.verb, WaitVisit):
        visits.go_on(run, session, halt.left, t)
    elif halt.left is not None:
        session.due = t + halt.left
    run.move("waiting", plan, session, node.name, t, reason="resumed", until=session.due)
    for effect in versions:
        if session.ended is None:
            take_along(run, session, effect, t)
