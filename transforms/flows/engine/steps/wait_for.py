"""The step that waits for the first of several events, statuses, conditions or messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

import msgspec

from transforms.flows.catalog.compiled import CompiledStep
from transforms.flows.clock.delays import after
from transforms.flows.definitions.steps.waits import (
    Case,
    CaseAudience,
    CaseCall,
    CaseEvent,
    CaseInbound,
    CaseStatus,
    CaseWhen,
    WaitFor,
)
from transforms.flows.engine.context import Context
from transforms.flows.engine.messages.delivery_reports import fits
from transforms.flows.engine.steps.logic import WAITS, Exit, StepLogic, pause_timeout
from transforms.flows.engine.steps.waits import rebased_due
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import (
    AudienceChange,
    CommunicationUpdate,
    Event,
    Inbound,
    Signal,
)
from transforms.flows.state.limits import LONGEST_WAIT
from transforms.flows.state.stored import Halt


class WaitForLogic(StepLogic):
    """Wait for the first case that occurs; with ``rank``, wait for the time-out and take the
    first listed case that occurred until then.
    """

    def begin(self, ctx: Context, session: Session) -> int:
        node, now = session.node, ctx.now
        verb = node.verb
        assert isinstance(verb, WaitFor)
        timeout = verb.timeout
        due = after(timeout, now, ctx.zone_of(session.plan)) if timeout else now + LONGEST_WAIT
        if timeout is not None and due <= now:
            return node.ports["timeout"]
        if node.levels:
            true = [i for i in node.levels if holds(ctx, session, i)]
            if true and not verb.rank:
                return node.targets[true[0]]
            session.matched_cases = true
        if session.baseline:
            session.baseline = None
        session.due = due
        return WAITS

    def on_signal(self, ctx: Context, session: Session, signal: Signal) -> Exit | None:
        node = session.node
        verb = node.verb
        assert isinstance(verb, WaitFor)
        if isinstance(signal, Event) and signal.name not in node.awaited:
            return None
        for index, case in enumerate(verb.cases):
            if not _matches(ctx, session, index, case, signal):
                continue
            restarts = isinstance(case, (CaseEvent, CaseInbound, CaseCall)) and case.then is None
            if verb.restart and restarts:
                _restart(ctx, session, verb)
                return None
            first = _listed_first(ctx, session, index) if index and node.levels else index
            if (taken := _take(session, first)) is not None:
                return taken
        return None

    def on_recheck(self, ctx: Context, session: Session) -> Exit | None:
        node = session.node
        if not any(node.conditions):
            return None
        for index, condition in enumerate(node.conditions):
            true = condition is not None and holds(ctx, session, index)
            if session.baseline and _in_baseline(session, index, true):
                continue
            if true and (taken := _take(session, index)) is not None:
                return taken
        return None

    def on_time(self, ctx: Context, session: Session) -> Exit:
        if session.matched_cases:
            index = min(session.matched_cases)
            return _by_case(session.node, index)
        return Exit(session.node.ports["timeout"], "timeout")

    def pause(self, ctx: Context, session: Session, halt: Halt) -> None:
        pause_timeout(ctx, session, halt)

    def note_baseline(self, ctx: Context, session: Session) -> None:
        true = [
            index
            for index, condition in enumerate(session.node.conditions)
            if condition is not None
            and index not in session.matched_cases
            and holds(ctx, session, index)
        ]
        if any(session.node.conditions):
            session.baseline = true or None

    def rebase(self, ctx: Context, session: Session, before: CompiledStep) -> int | None:
        old, new = before.verb, session.node.verb
        assert isinstance(old, WaitFor)
        assert isinstance(new, WaitFor)
        session.matched_cases = list(_same_cases(session.matched_cases, old, new))
        session.baseline = list(_same_cases(session.baseline or (), old, new)) or None
        return rebased_due(ctx, session, old.timeout, new.timeout)

    def on_migrated(self, ctx: Context, session: Session) -> Exit | None:
        node, known = session.node, session.baseline or ()
        verb = node.verb
        assert isinstance(verb, WaitFor)
        levels = [i for i in node.levels if i not in known and holds(ctx, session, i)]
        true = sorted({*session.matched_cases, *levels})
        if true and not verb.rank:
            return _by_case(node, true[0])
        session.matched_cases = true
        return None


def _matches(ctx: Context, session: Session, index: int, case: Case, signal: Signal) -> bool:
    """Return True if a signal is what a case waits for."""
    match case, signal:
        case CaseEvent(match=match), Event(name=name) if name == match.event:
            matcher = session.node.matchers[index]
            return matcher is not None and matcher.test(ctx.view_of(session))
        case CaseStatus(status=status, step=step), CommunicationUpdate():
            mine = session.sent.get(session.plan.step_numbers[step]) == signal.communication
            if not mine or signal.status != status:
                return False
            if status == "replied" and ctx.handling.inbound_owner not in ("", session.id):
                return False
            return fits(ctx, session, index, step)
        case CaseInbound() | CaseCall(), Inbound():
            return ctx.handling.inbound_owner == session.id and ctx.handling.inbound_case == index
        case CaseAudience(audience=audience, when=when), AudienceChange():
            return audience == signal.audience and (when == "entered") == signal.entered
        case _:
            return False


def holds(ctx: Context, session: Session, index: int) -> bool:
    """Return True if a case that has a lasting state, such as a condition, is true now."""
    node = session.node
    verb = node.verb
    assert isinstance(verb, WaitFor)
    case = verb.cases[index]
    match case:
        case CaseWhen():
            condition = node.conditions[index]
            return condition is not None and condition.test(ctx.view_of(session))
        case CaseStatus(status=status, step=step):
            sent = session.sent.get(session.plan.step_numbers[step])
            known = (c for c in ctx.state.communications if c.id == sent)
            if not any(status == c.status or status in c.facts for c in known):
                return False
            return fits(ctx, session, index, step)
        case CaseEvent() | CaseAudience() | CaseInbound() | CaseCall():
            return False
        case _:
            assert_never(case)


def _listed_first(ctx: Context, session: Session, index: int) -> int:
    """Of the cases that became true together, return the one that is listed first.

    Statuses are skipped: a status that is true but did not end the wait belongs to another
    session (R13) or is loaded history.
    """
    node, known = session.node, session.baseline or ()
    verb = node.verb
    if isinstance(verb, WaitFor) and not verb.rank:
        for level in node.levels:
            if level >= index or node.conditions[level] is None or level in known:
                continue
            if holds(ctx, session, level):
                return level
    return index


def _take(session: Session, index: int) -> Exit | None:
    """Return the exit of a case that became true; with ``rank`` only note the case."""
    verb = session.node.verb
    if isinstance(verb, WaitFor) and verb.rank:
        if index not in session.matched_cases:
            session.matched_cases = [*session.matched_cases, index]
        return None
    return _by_case(session.node, index)


def _by_case(node: CompiledStep, index: int) -> Exit:
    """Return the exit by a case, with its name or its number as the reason."""
    verb = node.verb
    assert isinstance(verb, WaitFor)
    return Exit(node.targets[index], verb.cases[index].name or f"case_{index + 1}")


def _restart(ctx: Context, session: Session, verb: WaitFor) -> None:
    """Start the time-out again."""
    if verb.timeout is None:
        return
    due = after(verb.timeout, ctx.now, ctx.zone_of(session.plan))
    if session.halt is not None and session.halt.left is not None:
        session.halt.left = due - ctx.now
        ctx.emit_transition("waiting", session, reason="restart")
        return
    session.due = due
    ctx.emit_transition("waiting", session, reason="restart", until=session.due)


def _in_baseline(session: Session, index: int, true: bool) -> bool:
    """Return True if loaded history made a case true and it has not been false since."""
    if session.baseline is None or index not in session.baseline:
        return False
    if not true:
        session.baseline = [known for known in session.baseline if known != index] or None
    return true


def _same_cases(indexes: Iterable[int], before: WaitFor, now: WaitFor) -> Iterable[int]:
    """Yield the indexes of the same cases in the new version."""
    cases = [msgspec.structs.replace(case, then=None, name=None) for case in now.cases]
    for index in indexes:
        same = msgspec.structs.replace(before.cases[index], then=None, name=None)
        if same in cases:
            yield cases.index(same)


LOGIC: Final[dict[type, StepLogic]] = {WaitFor: WaitForLogic()}
