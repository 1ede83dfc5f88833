"""What ends a wait: events, statuses, audiences, conditions, time; exit rules come first."""

from __future__ import annotations

from transforms.flows.clock.elapsing import after
from transforms.flows.definitions.steps.waits import (
    CaseAudience,
    CaseCall,
    CaseEvent,
    CaseInbound,
    CaseStatus,
    WaitFor,
    WaitVisit,
)
from transforms.flows.engine.context import Context
from transforms.flows.engine.messages.delivery_reports import fits
from transforms.flows.engine.profile.visits import lasted
from transforms.flows.engine.steps.advance import end, exit_conditions, holds, proceed, recheck
from transforms.flows.engine.steps.backfill import in_baseline
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import (
    AudienceChange,
    CommunicationUpdate,
    Event,
    Inbound,
    Signal,
)


def on_signal(ctx: Context, session: Session, signal: Signal) -> None:
    """Let one signal act on a session: its exit rules first, then the step it stands on."""
    plan = session.plan
    match signal:
        case Event(name=name) if plan.exit_matchers or plan.events:
            if name in plan.events:
                view = ctx.view_of(session)
                if any(m.event == name and m.test(view) for m in plan.exit_matchers):
                    end(ctx, session, "exit_rule", forced=True)
                    return
        case AudienceChange(audience=audience, entered=False):
            if audience in plan.exit_audiences:
                end(ctx, session, "exit_rule", forced=True)
                return
        case _:
            pass
    if plan.exit_conditions and exit_conditions(ctx, session):
        return
    node = session.node
    undecided = session.halt is None or session.halt.target is None
    if undecided and isinstance(node.verb, WaitFor) and _wakes(ctx, session, signal):
        return
    if plan.exit_conditions or any(node.conditions):
        _look_at_wait(ctx, session)


def _wakes(ctx: Context, session: Session, signal: Signal) -> bool:
    """Hold a signal against the cases of a wait; tell whether the session left."""
    node = session.node
    verb = node.verb
    assert isinstance(verb, WaitFor)
    if isinstance(signal, Event) and signal.name not in node.awaited:
        return False
    view = None
    for index, case in enumerate(verb.cases):
        match case, signal:
            case CaseEvent(match=found), Event(name=name) if name == found.event:
                view = view or ctx.view_of(session)
                matcher = node.matchers[index]
                if matcher is None or not matcher.test(view):
                    continue
                if verb.restart and case.then is None:
                    _restart(ctx, session, verb)
                    return False
            case CaseStatus(status=status, step=step), CommunicationUpdate():
                mine = session.sent.get(session.plan.step_numbers[step]) == signal.communication
                if not mine or signal.status != status:
                    continue
                if status == "replied" and ctx.inbound_owner not in ("", session.id):
                    continue
                if not fits(ctx, session, index, step):
                    continue
            case CaseInbound() | CaseCall(), Inbound():
                if ctx.inbound_owner != session.id or ctx.inbound_case != index:
                    continue
                if verb.restart and case.then is None:
                    _restart(ctx, session, verb)
                    return False
            case CaseAudience(audience=audience, when=when), AudienceChange():
                if audience != signal.audience or (when == "entered") != signal.entered:
                    continue
            case _:
                continue
        first = _listed(ctx, session, index) if index and node.levels else index
        if _happens(ctx, session, first):
            return True
    return False


def _listed(ctx: Context, session: Session, index: int) -> int:
    """Return the case that is listed first of those that came true with this one.

    No status is: one that holds and did not end the wait was meant for another (R13), or loaded.
    """
    node = session.node
    verb = node.verb
    if isinstance(verb, WaitFor) and not verb.rank:
        for level in node.levels:
            if (
                level >= index
                or node.conditions[level] is None
                or level in (session.baseline or ())
            ):
                continue
            if holds(ctx, session, level):
                return level
    return index


def _restart(ctx: Context, session: Session, verb: WaitFor) -> None:
    """Start the time-out again."""
    if verb.timeout is not None:
        due = after(verb.timeout, ctx.now, ctx.zone_of(session.plan))
        if session.halt is not None and session.halt.left is not None:
            session.halt.left = due - ctx.now
            ctx.emit_transition("waiting", session, reason="restart")
            return
        session.due = due
        ctx.emit_transition("waiting", session, reason="restart", until=session.due)


def on_wait_due(ctx: Context, session: Session) -> None:
    """Go on from a wait whose time has come."""
    if session.halt is not None:
        session.halt.overdue = True
    node = session.node
    verb = node.verb
    if type(verb) is WaitFor:
        if session.matched_cases:
            index = min(session.matched_cases)
            leave_wait(ctx, session, node.targets[index], reason=f"case_{index + 1}")
        else:
            leave_wait(ctx, session, node.ports["timeout"], reason="timeout")
    elif type(verb) is WaitVisit and not lasted(session, ctx.now):
        leave_wait(ctx, session, node.ports["gone"], reason="gone")
    else:
        leave_wait(ctx, session, node.then)


def recheck_conditions(ctx: Context, session: Session) -> bool:
    """Judge the conditions that a session watches; tell whether it moved or ended."""
    if session.plan.exit_conditions and exit_conditions(ctx, session):
        return True
    return _look_at_wait(ctx, session)


def _look_at_wait(ctx: Context, session: Session) -> bool:
    """Judge the conditions of the wait that a session stands at; tell whether it moved."""
    node = session.node
    undecided = session.halt is None or session.halt.target is None
    if undecided and isinstance(node.verb, WaitFor) and any(node.conditions):
        for index, condition in enumerate(node.conditions):
            true = condition is not None and holds(ctx, session, index)
            if session.baseline and in_baseline(session, index, true):
                continue
            if true and _happens(ctx, session, index):
                return True
    recheck(ctx, session)
    return False


def _happens(ctx: Context, session: Session, index: int) -> bool:
    """Take a case of a wait that came true; tell whether the session left."""
    node = session.node
    verb = node.verb
    assert isinstance(verb, WaitFor)
    if verb.rank:
        if index not in session.matched_cases:
            session.matched_cases = [*session.matched_cases, index]
        return False
    leave_wait(ctx, session, node.targets[index], reason=f"case_{index + 1}")
    return True


def leave_wait(ctx: Context, session: Session, target: int, reason: str | None = None) -> None:
    """Leave the wait that a session stands at, and go on; one that is halted only decides (R26)."""
    halt = session.halt
    if halt is not None:
        halt.target, halt.why, halt.left = target, reason, None
        session.due = None
        ctx.emit_transition("waiting", session, reason="decided")
        recheck(ctx, session)
        return
    ctx.emit_transition("left", session, reason=reason, since=session.since)
    session.due = session.recheck_at = None
    proceed(ctx, session, target)
