"""What ends a wait: events, statuses, audiences, conditions, time; exit rules come first."""

from __future__ import annotations

from transforms.flows.catalog.compiled import Node, Plan
from transforms.flows.clock.elapsing import after
from transforms.flows.definitions.verbs import (
    CaseAudience,
    CaseCall,
    CaseEvent,
    CaseInbound,
    CaseStatus,
    WaitFor,
    WaitVisit,
)
from transforms.flows.engine.context import Run, node_of
from transforms.flows.engine.messages.delivery_reports import fits
from transforms.flows.engine.profile.visits import stayed
from transforms.flows.engine.steps.advance import end, exit_conditions, holds, proceed, recheck
from transforms.flows.engine.steps.backfill import no_news
from transforms.flows.protocol.signals import (
    AudienceChange,
    CommunicationUpdate,
    Event,
    Inbound,
    Signal,
)
from transforms.flows.state.working import Session


def react(run: Run, plan: Plan, session: Session, signal: Signal, t: int) -> None:
    """Let one signal act on a session: its exit rules first, then the step it stands on."""
    match signal:
        case Event(name=name) if plan.exit_matchers or plan.events:
            if name in plan.events:
                view = run.look(t, plan, session)
                if any(m.event == name and m.test(view) for m in plan.exit_matchers):
                    end(run, plan, session, t, "exit_rule", forced=True)
                    return
        case AudienceChange(audience=audience, entered=False):
            if audience in plan.exit_audiences:
                end(run, plan, session, t, "exit_rule", forced=True)
                return
        case _:
            pass
    if plan.exit_conditions and exit_conditions(run, plan, session, t):
        return
    node = node_of(plan, session)
    undecided = session.halt is None or session.halt.target is None
    if undecided and isinstance(node.verb, WaitFor) and _wakes(run, plan, session, node, signal, t):
        return
    if plan.exit_conditions or any(node.conditions):
        _look_at_wait(run, plan, session, t)


def _wakes(run: Run, plan: Plan, session: Session, node: Node, signal: Signal, t: int) -> bool:
    """Hold a signal against the cases of a wait; tell whether the session left."""
    verb = node.verb
    assert isinstance(verb, WaitFor)
    if isinstance(signal, Event) and signal.name not in node.awaited:
        return False
    view = None
    for index, case in enumerate(verb.cases):
        match case, signal:
            case CaseEvent(match=found), Event(name=name) if name == found.event:
                view = view or run.look(t, plan, session)
                matcher = node.matchers[index]
                if matcher is None or not matcher.test(view):
                    continue
                if verb.restart and case.then is None:
                    _restart(run, plan, session, verb, t)
                    return False
            case CaseStatus(status=status, step=step), CommunicationUpdate():
                mine = session.sent.get(plan.numbers[step]) == signal.communication
                if not mine or signal.status != status:
                    continue
                if status == "replied" and run.claimer not in ("", session.id):
                    continue
                if not fits(run, plan, session, node, index, step, t):
                    continue
            case CaseInbound() | CaseCall(), Inbound():
                if run.claimer != session.id or run.claimed != index:
                    continue
                if verb.restart and case.then is None:
                    _restart(run, plan, session, verb, t)
                    return False
            case CaseAudience(audience=audience, when=when), AudienceChange():
                if audience != signal.audience or (when == "entered") != signal.entered:
                    continue
            case _:
                continue
        first = _listed(run, plan, session, node, index, t) if index and node.levels else index
        if _happens(run, plan, session, node, first, t):
            return True
    return False


def _listed(run: Run, plan: Plan, session: Session, node: Node, index: int, t: int) -> int:
    """Return the case that is listed first of those that came true with this one.

    No status is: one that holds and did not end the wait was meant for another (R13), or loaded.
    """
    verb = node.verb
    if isinstance(verb, WaitFor) and not verb.rank:
        for level in node.levels:
            if level >= index or node.conditions[level] is None or level in (session.loaded or ()):
                continue
            if holds(run, plan, session, node, level, t):
                return level
    return index


def _restart(run: Run, plan: Plan, session: Session, verb: WaitFor, t: int) -> None:
    """Start the time-out again."""
    if verb.timeout is not None:
        due = after(verb.timeout, t, run.zone_of(plan))
        node = node_of(plan, session)
        if session.halt is not None and session.halt.left is not None:
            session.halt.left = due - t
            run.move("waiting", plan, session, node.name, t, reason="restart")
            return
        session.due = due
        run.move("waiting", plan, session, node.name, t, reason="restart", until=session.due)


def wait_over(run: Run, plan: Plan, session: Session, t: int) -> None:
    """Go on from a wait whose time has come."""
    if session.halt is not None:
        session.halt.overdue = True
    node = node_of(plan, session)
    verb = node.verb
    if type(verb) is WaitFor:
        if session.happened:
            index = min(session.happened)
            leave(run, plan, session, node.targets[index], t, reason=f"case_{index + 1}")
        else:
            leave(run, plan, session, node.named["timeout"], t, reason="timeout")
    elif type(verb) is WaitVisit and not stayed(session, t):
        leave(run, plan, session, node.named["gone"], t, reason="gone")
    else:
        leave(run, plan, session, node.then, t)


def look_again(run: Run, plan: Plan, session: Session, t: int) -> bool:
    """Judge the conditions that a session watches; tell whether it moved or ended."""
    if plan.exit_conditions and exit_conditions(run, plan, session, t):
        return True
    return _look_at_wait(run, plan, session, t)


def _look_at_wait(run: Run, plan: Plan, session: Session, t: int) -> bool:
    """Judge the conditions of the wait that a session stands at; tell whether it moved."""
    node = node_of(plan, session)
    undecided = session.halt is None or session.halt.target is None
    if undecided and isinstance(node.verb, WaitFor) and any(node.conditions):
        for index, condition in enumerate(node.conditions):
            true = condition is not None and holds(run, plan, session, node, index, t)
            if session.loaded and no_news(session, index, true):
                continue
            if true and _happens(run, plan, session, node, index, t):
                return True
    recheck(run, plan, session, t)
    return False


def _happens(run: Run, plan: Plan, session: Session, node: Node, index: int, t: int) -> bool:
    """Take a case of a wait that came true; tell whether the session left."""
    verb = node.verb
    assert isinstance(verb, WaitFor)
    if verb.rank:
        if index not in session.happened:
            session.happened = [*session.happened, index]
        return False
    leave(run, plan, session, node.targets[index], t, reason=f"case_{index + 1}")
    return True


def leave(
    run: Run, plan: Plan, session: Session, target: int, t: int, reason: str | None = None
) -> None:
    """Leave the wait that a session stands at, and go on; one that is halted only decides (R26)."""
    node = node_of(plan, session)
    halt = session.halt
    if halt is not None:
        halt.target, halt.why, halt.left = target, reason, None
        session.due = None
        run.move("waiting", plan, session, node.name, t, reason="decided")
        recheck(run, plan, session, t)
        return
    run.move("left", plan, session, node.name, t, reason=reason, since=session.since)
    session.due = session.check = None
    proceed(run, plan, session, target, t)
