"""A session's way: steps run in memory until a wait or an end (R6).

``_do`` is the meaning of every step; what ends a wait stands in ``react``.
"""

from __future__ import annotations

from typing import Final, assert_never

from transforms.flows.catalog.compiled import END, CompiledStep
from transforms.flows.clock.elapsing import after
from transforms.flows.clock.schedules import next_occurrence, recurring, resolve
from transforms.flows.clock.windows import opening
from transforms.flows.definitions.steps.branches import If, MatchMessage, Split
from transforms.flows.definitions.steps.calls import CallApi, CallWebhook, ExportFields, RunCode
from transforms.flows.definitions.steps.flows import End, Enroll, Leave
from transforms.flows.definitions.steps.sends import CancelAll, Promote, Send
from transforms.flows.definitions.steps.updates import ChangeAudience, EmitEvent, Update
from transforms.flows.definitions.steps.waits import (
    CaseAudience,
    CaseCall,
    CaseEvent,
    CaseInbound,
    CaseStatus,
    CaseWhen,
    Wait,
    WaitFor,
    WaitUntil,
    WaitVisit,
    WaitWindow,
)
from transforms.flows.engine.context import Context
from transforms.flows.engine.messages.delivery_reports import fits
from transforms.flows.engine.messages.inbound import branch_by_keyword
from transforms.flows.engine.messages.plan import plan_send
from transforms.flows.engine.messages.statuses import cancel_all, cancel_planned, refresh_holds
from transforms.flows.engine.profile.audiences import emit_membership, set_member
from transforms.flows.engine.profile.visits import begin_visit_wait as begin_visit
from transforms.flows.engine.steps.calls import KILLED, call_api, run_code
from transforms.flows.engine.steps.effects import (
    do_update,
    emit,
    export,
    promote,
    webhook,
    withheld,
)
from transforms.flows.engine.steps.enrolling import enroll, leave_flows
from transforms.flows.engine.working import Session
from transforms.flows.protocol.outputs import DeadLetter
from transforms.flows.state.ids import draw
from transforms.flows.state.limits import LONGEST_WAIT

PARKED: Final = -2
ENDED: Final = -3
ASKED: Final = -4
MOST_STEPS: Final = 1_000
MOST_TOGETHER: Final = 10_000


def proceed(ctx: Context, session: Session, number: int) -> None:
    """Run steps from one on, until the session waits or ends (C20).

    A session that parks while an exit condition has become true ends at once (R18, R23).
    """
    plan = session.plan
    if session.matched_cases:
        session.matched_cases = []
    if session.awaiting_call:
        session.awaiting_call = 0
    name = session.id
    walked = ctx.steps_walked.get(name, 0)
    while number >= 0:
        walked += 1
        ctx.steps += 1
        if walked > MOST_STEPS or ctx.steps > MOST_TOGETHER:
            _dead(ctx, session)
            end(ctx, session, "too_many_steps")
            return
        number = _walk(ctx, session, plan.steps[number])
    ctx.steps_walked[name] = walked
    if number == END:
        end(ctx, session, "completed")
    elif number == PARKED:
        ctx.emit_transition("waiting", session, until=session.due)
        if plan.exit_conditions:
            exit_conditions(ctx, session)


def _walk(ctx: Context, session: Session, node: CompiledStep) -> int:
    """Arrive at a step and do it, as the cause of what it raises (R11); return where to go on."""
    _arrive(ctx, session, node)
    causes, actor, name = ctx.causes, ctx.acting_session, session.id
    ctx.causes = causes if name in causes else causes | {name}
    ctx.acting_session = name
    number = _do(ctx, session)
    ctx.causes, ctx.acting_session = causes, actor
    return number


def _arrive(ctx: Context, session: Session, node: CompiledStep) -> None:
    number, visits = node.number, session.visits
    session.step, session.since = number, ctx.now
    visits[number] = visits.get(number, 0) + 1
    reached = ctx.state.histories[session.plan.number].reached
    first = number not in reached
    if first:
        reached.append(number)
    if not session.silent:
        ctx.flow_state_changed = True
    ctx.emit_transition("reached", session, first=first)


def _do(ctx: Context, session: Session) -> int:
    """Do a step; return the next step, END, PARKED or ENDED."""
    node = session.node
    plan = session.plan
    now = ctx.now
    verb = node.verb
    # The commonest first: each case that does not match costs a look at the class.
    match verb:
        case Send():
            refused = plan_send(ctx, session)
            return node.ports.get(refused, node.then) if refused is not None else node.then
        case Wait(delay=delay):
            session.due = after(delay, now, ctx.zone_of(plan))
            return _park(ctx, session)
        case If():
            return _if(ctx, session)
        case WaitFor():
            return _wait_for(ctx, session, verb)
        case WaitVisit(delay=delay):
            if begin_visit(ctx, session, delay):
                return _park(ctx, session)
            return node.ports["gone"]
        case WaitUntil():
            return _wait_until(ctx, session, verb)
        case WaitWindow(window=window):
            opens = opening(window, now, ctx.zone_of(plan))
            if opens <= now:
                return node.then
            session.due = opens
            return _park(ctx, session)
        case MatchMessage():
            return branch_by_keyword(node, session)
        case Split():
            return _split(ctx, session, verb)
        case Promote():
            promote(ctx, session, verb)
            return node.then
        case CallWebhook():
            webhook(ctx, session, verb)
            return node.then
        case CallApi():
            if call_api(ctx, session, verb):
                return _park(ctx, session)
            return _refused(ctx, session)
        case RunCode():
            run_code(ctx, session, verb)
            return ASKED
        case ExportFields():
            export(ctx, session, verb)
            return node.then
        case Update():
            do_update(ctx, session, verb)
            return node.then
        case ChangeAudience(audience=audience, add=add):
            if not withheld(ctx, session) and set_member(ctx, audience, add):
                emit_membership(ctx, audience, add, plan.id, node.name)
            return node.then
        case EmitEvent():
            emit(ctx, session, verb)
            return node.then
        case Enroll():
            enroll(ctx, session, verb)
            return node.then
        case Leave():
            leave_flows(ctx, session, verb)
            return node.then
        case CancelAll():
            if not withheld(ctx, session):
                cancel_all(ctx, session)
            return node.then
        case End(reason=reason):
            end(ctx, session, reason)
            return ENDED
        case _:
            assert_never(verb)


def _refused(ctx: Context, session: Session) -> int:
    """Go on from a call that may not leave."""
    node = session.node
    ctx.emit_rejection("killed", session.plan.id, KILLED, node.name)
    if "error" in node.ports:
        return node.ports["error"]
    end(ctx, session, "call_failed")
    return ENDED


def _park(ctx: Context, session: Session) -> int:
    recheck(ctx, session)
    return PARKED


def _wait_until(ctx: Context, session: Session, verb: WaitUntil) -> int:
    node = session.node
    now = ctx.now
    view = ctx.view_of(session)
    value = node.path(view) if node.path else None
    again = session.visits[node.number] > 1 and recurring(verb.moment)
    due = (next_occurrence if again else resolve)(verb.moment, now, view.zone, value)
    if due is None or due > now + LONGEST_WAIT:
        if "missing" in node.ports:
            return node.ports["missing"]
        end(ctx, session, "missing_date" if due is None else "too_far")
        return ENDED
    if due <= now:
        if verb.past == "go":
            return node.then
        end(ctx, session, "past_date")
        return ENDED
    session.due = due
    return _park(ctx, session)


def _wait_for(ctx: Context, session: Session, verb: WaitFor) -> int:
    node = session.node
    now = ctx.now
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
    return _park(ctx, session)


def holds(ctx: Context, session: Session, index: int) -> bool:
    """Tell whether a case that is a level, not an event, is true."""
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
            found = (c for c in ctx.state.communications if c.id == sent)
            if not any(status == c.status or status in c.facts for c in found):
                return False
            return fits(ctx, session, index, step)
        case CaseEvent() | CaseAudience() | CaseInbound() | CaseCall():
            return False
        case _:
            assert_never(case)


def _if(ctx: Context, session: Session) -> int:
    node = session.node
    view = ctx.view_of(session)
    for condition, target in zip(node.conditions, node.targets, strict=True):
        if condition is not None and condition.test(view):
            return target
    return node.ports["else"]


def _split(ctx: Context, session: Session, verb: Split) -> int:
    """Draw a branch by hash: the same for a user at every visit, unless it redraws (I11)."""
    node = session.node
    plan = session.plan
    parts = [ctx.space, plan.id, node.name, ctx.user]
    if verb.redraw:
        parts += [session.id, str(session.visits[node.number])]
    index = _drawn(verb, draw(*parts))
    if ctx.epoch.winners and not verb.branches[index].holdout:
        index = _won(verb, ctx.epoch.winners.get((plan.number, node.number)), index)
    branch = verb.branches[index]
    session.variants[node.number] = index
    if branch.holdout:
        session.silent = ctx.flow_state_changed = True
    ctx.emit_transition("left", session, variant=f"{node.name}={branch.name}", since=ctx.now)
    return node.targets[index]


def _won(verb: Split, winner: str | None, drawn: int) -> int:
    """Return the branch that a record declared the best, if this version has it (I28)."""
    for index, branch in enumerate(verb.branches):
        if branch.name == winner:
            return index
    return drawn


def _drawn(verb: Split, drawn: int) -> int:
    """Return the branch in whose share of 0..9999 a draw falls."""
    for index, branch in enumerate(verb.branches):
        drawn -= branch.percent * 100
        if drawn < 0:
            return index
    return len(verb.branches) - 1


def recheck(ctx: Context, session: Session) -> None:
    """Note when a condition that this session watches may change by time alone (R18)."""
    plan = session.plan
    node = plan.steps.get(session.step)
    conditions = (*plan.exit_timed, *(node.timed if node else ()))
    if not conditions:
        session.recheck_at = None
        return
    view = ctx.view_of(session)
    changes = [c.next_change(view) for c in conditions]
    session.recheck_at = min((at for at in changes if at is not None), default=None)


def exit_conditions(ctx: Context, session: Session, start: bool = False) -> bool:
    """End the session if an exit condition became true; at the ``start`` only note what is."""
    view = ctx.view_of(session)
    true = [i for i, c in enumerate(session.plan.exit_conditions) if c.test(view)]
    fresh = [i for i in true if i not in session.exit_true]
    session.exit_true = true
    if fresh and not start:
        end(ctx, session, "exit_rule", forced=True)
        return True
    return False


def end(ctx: Context, session: Session, reason: str, *, forced: bool = False) -> None:
    """End a session for a reason (R23): run ``on_exit``, keep a stub for its goals (R24).

    An end that is ``forced`` on the session cancels what it has planned (R14).
    """
    plan = session.plan
    now = ctx.now
    state, name = ctx.state, session.id
    state.sessions = [s for s in state.sessions if s.id != name]
    if session.due is not None or session.recheck_at is not None or session.halt is not None:
        ctx.emit_transition("left", session, reason=reason, since=session.since)
    session.due = session.recheck_at = None
    if forced:
        cancel_planned(ctx, session)
    if session.halt is not None:
        session.halt = None
        refresh_holds(ctx)
    if plan.on_exit != END and session.ended is None:
        session.ended = now
        _leave_by(ctx, session)
    session.ended = now
    session.promotions = []
    ctx.emit_transition(
        "ended",
        session,
        reason=reason,
        since=session.started,
    )
    ctx.flow_state_changed = ctx.flow_state_changed or not session.silent
    started = session.started
    for visit in reversed(state.histories[plan.number].visits):
        if visit.took is None and visit.entered == started and visit.key == session.key:
            visit.took = now - started
            break
    aims = ctx.goals_of(plan)
    if aims.goals and now < started + aims.window:
        session.variables = {k: v for k, v in session.variables.items() if k in aims.variables}
        session.sent, session.message = {}, None
        session.entry = {k: v for k, v in session.entry.items() if k in aims.fields}
        state.ended.append(session)


def _leave_by(ctx: Context, session: Session) -> None:
    """Run the ``on_exit`` steps, none of which waits."""
    plan = session.plan
    number, stood = plan.on_exit, session.step
    while number >= 0:
        node = plan.steps[number]
        if isinstance(node.verb, End):  # it is ending already
            _arrive(ctx, session, node)
            break
        number = _walk(ctx, session, node)
    session.step = stood


def _dead(ctx: Context, session: Session) -> None:
    ctx.outputs.append(
        DeadLetter(
            id=ctx.next_session_output_id(session),
            user=ctx.user,
            at=ctx.now,
            reason="too_many_steps",
            cause=ctx.cause,
            flow=session.plan.id,
            step=session.node.name,
            detail=f"more than {MOST_STEPS} steps on one signal, {MOST_TOGETHER} of all sessions",
        )
    )
