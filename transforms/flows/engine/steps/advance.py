"""A session's way: steps run in memory until a wait or an end (R6).

``_do`` is the meaning of every step; what ends a wait stands in ``react``.
"""

from __future__ import annotations

from typing import Final, assert_never

from transforms.flows.catalog.compiled import END, CompiledStep, Plan
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
from transforms.flows.engine.context import Context, node_of
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


def proceed(ctx: Context, plan: Plan, session: Session, number: int, t: int) -> None:
    """Run steps from one on, until the session waits or ends (C20).

    A session that parks while an exit condition has become true ends at once (R18, R23).
    """
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
            _dead(ctx, plan, session, t)
            end(ctx, plan, session, t, "too_many_steps")
            return
        number = _walk(ctx, plan, session, plan.steps[number], t)
    ctx.steps_walked[name] = walked
    if number == END:
        end(ctx, plan, session, t, "completed")
    elif number == PARKED:
        ctx.emit_transition(
            "waiting", plan, session, node_of(plan, session).name, t, until=session.due
        )
        if plan.exit_conditions:
            exit_conditions(ctx, plan, session, t)


def _walk(ctx: Context, plan: Plan, session: Session, node: CompiledStep, t: int) -> int:
    """Arrive at a step and do it, as the cause of what it raises (R11); return where to go on."""
    _arrive(ctx, plan, session, node, t)
    causes, actor, name = ctx.causes, ctx.acting_session, session.id
    ctx.causes = causes if name in causes else causes | {name}
    ctx.acting_session = name
    number = _do(ctx, plan, session, node, t)
    ctx.causes, ctx.acting_session = causes, actor
    return number


def _arrive(ctx: Context, plan: Plan, session: Session, node: CompiledStep, t: int) -> None:
    number, visits = node.number, session.visits
    session.step, session.since = number, t
    visits[number] = visits.get(number, 0) + 1
    reached = ctx.state.histories[plan.number].reached
    first = number not in reached
    if first:
        reached.append(number)
    if not session.silent:
        ctx.flow_state_changed = True
    ctx.emit_transition("reached", plan, session, node.name, t, first=first)


def _do(ctx: Context, plan: Plan, session: Session, node: CompiledStep, t: int) -> int:
    """Do a step; return the next step, END, PARKED or ENDED."""
    verb = node.verb
    # The commonest first: each case that does not match costs a look at the class.
    match verb:
        case Send():
            refused = plan_send(ctx, plan, session, node, t)
            return node.ports.get(refused, node.then) if refused is not None else node.then
        case Wait(delay=delay):
            session.due = after(delay, t, ctx.zone_of(plan))
            return _park(ctx, plan, session, t)
        case If():
            return _if(ctx, plan, session, node, t)
        case WaitFor():
            return _wait_for(ctx, plan, session, node, verb, t)
        case WaitVisit(delay=delay):
            if begin_visit(ctx, plan, session, delay, t):
                return _park(ctx, plan, session, t)
            return node.ports["gone"]
        case WaitUntil():
            return _wait_until(ctx, plan, session, node, verb, t)
        case WaitWindow(window=window):
            opens = opening(window, t, ctx.zone_of(plan))
            if opens <= t:
                return node.then
            session.due = opens
            return _park(ctx, plan, session, t)
        case MatchMessage():
            return branch_by_keyword(node, session)
        case Split():
            return _split(ctx, plan, session, node, verb, t)
        case Promote():
            promote(ctx, plan, session, node, verb, t)
            return node.then
        case CallWebhook():
            webhook(ctx, plan, session, node, verb, t)
            return node.then
        case CallApi():
            if call_api(ctx, plan, session, node, verb, t):
                return _park(ctx, plan, session, t)
            return _refused(ctx, plan, session, node, t)
        case RunCode():
            run_code(ctx, plan, session, node, verb, t)
            return ASKED
        case ExportFields():
            export(ctx, plan, session, node, verb, t)
            return node.then
        case Update():
            do_update(ctx, plan, session, node, verb, t)
            return node.then
        case ChangeAudience(audience=audience, add=add):
            if not withheld(ctx, plan, session, node, t) and set_member(ctx, audience, add, t):
                emit_membership(ctx, audience, add, t, plan.id, node.name)
            return node.then
        case EmitEvent():
            emit(ctx, plan, session, node, verb, t)
            return node.then
        case Enroll():
            enroll(ctx, plan, session, node, verb, t)
            return node.then
        case Leave():
            leave_flows(ctx, plan, session, node, verb, t)
            return node.then
        case CancelAll():
            if not withheld(ctx, plan, session, node, t):
                cancel_all(ctx, plan, session, t)
            return node.then
        case End(reason=reason):
            end(ctx, plan, session, t, reason)
            return ENDED
        case _:
            assert_never(verb)


def _refused(ctx: Context, plan: Plan, session: Session, node: CompiledStep, t: int) -> int:
    """Go on from a call that may not leave."""
    ctx.emit_rejection("killed", t, plan.id, KILLED, node.name)
    if "error" in node.ports:
        return node.ports["error"]
    end(ctx, plan, session, t, "call_failed")
    return ENDED


def _park(ctx: Context, plan: Plan, session: Session, t: int) -> int:
    recheck(ctx, plan, session, t)
    return PARKED


def _wait_until(
    ctx: Context, plan: Plan, session: Session, node: CompiledStep, verb: WaitUntil, t: int
) -> int:
    view = ctx.view_for(t, plan, session)
    value = node.path(view) if node.path else None
    again = session.visits[node.number] > 1 and recurring(verb.moment)
    due = (next_occurrence if again else resolve)(verb.moment, t, view.zone, value)
    if due is None or due > t + LONGEST_WAIT:
        if "missing" in node.ports:
            return node.ports["missing"]
        end(ctx, plan, session, t, "missing_date" if due is None else "too_far")
        return ENDED
    if due <= t:
        if verb.past == "go":
            return node.then
        end(ctx, plan, session, t, "past_date")
        return ENDED
    session.due = due
    return _park(ctx, plan, session, t)


def _wait_for(
    ctx: Context, plan: Plan, session: Session, node: CompiledStep, verb: WaitFor, t: int
) -> int:
    timeout = verb.timeout
    due = after(timeout, t, ctx.zone_of(plan)) if timeout else t + LONGEST_WAIT
    if timeout is not None and due <= t:
        return node.ports["timeout"]
    if node.levels:
        true = [i for i in node.levels if holds(ctx, plan, session, node, i, t)]
        if true and not verb.rank:
            return node.targets[true[0]]
        session.matched_cases = true
    if session.baseline:
        session.baseline = None
    session.due = due
    return _park(ctx, plan, session, t)


def holds(
    ctx: Context, plan: Plan, session: Session, node: CompiledStep, index: int, t: int
) -> bool:
    """Tell whether a case that is a level, not an event, is true."""
    verb = node.verb
    assert isinstance(verb, WaitFor)
    case = verb.cases[index]
    match case:
        case CaseWhen():
            condition = node.conditions[index]
            return condition is not None and condition.test(ctx.view_for(t, plan, session))
        case CaseStatus(status=status, step=step):
            sent = session.sent.get(plan.step_numbers[step])
            found = (c for c in ctx.state.communications if c.id == sent)
            if not any(status == c.status or status in c.facts for c in found):
                return False
            return fits(ctx, plan, session, node, index, step, t)
        case CaseEvent() | CaseAudience() | CaseInbound() | CaseCall():
            return False
        case _:
            assert_never(case)


def _if(ctx: Context, plan: Plan, session: Session, node: CompiledStep, t: int) -> int:
    view = ctx.view_for(t, plan, session)
    for condition, target in zip(node.conditions, node.targets, strict=True):
        if condition is not None and condition.test(view):
            return target
    return node.ports["else"]


def _split(
    ctx: Context, plan: Plan, session: Session, node: CompiledStep, verb: Split, t: int
) -> int:
    """Draw a branch by hash: the same for a user at every visit, unless it redraws (I11)."""
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
    ctx.emit_transition(
        "left", plan, session, node.name, t, variant=f"{node.name}={branch.name}", since=t
    )
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


def recheck(ctx: Context, plan: Plan, session: Session, t: int) -> None:
    """Note when a condition that this session watches may change by time alone (R18)."""
    node = plan.steps.get(session.step)
    conditions = (*plan.exit_timed, *(node.timed if node else ()))
    if not conditions:
        session.recheck_at = None
        return
    view = ctx.view_for(t, plan, session)
    changes = [c.next_change(view) for c in conditions]
    session.recheck_at = min((at for at in changes if at is not None), default=None)


def exit_conditions(
    ctx: Context, plan: Plan, session: Session, t: int, start: bool = False
) -> bool:
    """End the session if an exit condition became true; at the ``start`` only note what is."""
    view = ctx.view_for(t, plan, session)
    true = [i for i, c in enumerate(plan.exit_conditions) if c.test(view)]
    fresh = [i for i in true if i not in session.exit_true]
    session.exit_true = true
    if fresh and not start:
        end(ctx, plan, session, t, "exit_rule", forced=True)
        return True
    return False


def end(
    ctx: Context, plan: Plan, session: Session, t: int, reason: str, *, forced: bool = False
) -> None:
    """End a session for a reason (R23): run ``on_exit``, keep a stub for its goals (R24).

    An end that is ``forced`` on the session cancels what it has planned (R14).
    """
    state, name = ctx.state, session.id
    state.sessions = [s for s in state.sessions if s.id != name]
    if session.due is not None or session.recheck_at is not None or session.halt is not None:
        node = node_of(plan, session)
        ctx.emit_transition("left", plan, session, node.name, t, reason=reason, since=session.since)
    session.due = session.recheck_at = None
    if forced:
        cancel_planned(ctx, session, t)
    if session.halt is not None:
        session.halt = None
        refresh_holds(ctx, t)
    if plan.on_exit != END and session.ended is None:
        session.ended = t
        _leave_by(ctx, plan, session, t)
    session.ended = t
    session.promotions = []
    ctx.emit_transition(
        "ended",
        plan,
        session,
        plan.steps[session.step].name,
        t,
        reason=reason,
        since=session.started,
    )
    ctx.flow_state_changed = ctx.flow_state_changed or not session.silent
    started = session.started
    for visit in reversed(state.histories[plan.number].visits):
        if visit.took is None and visit.entered == started and visit.key == session.key:
            visit.took = t - started
            break
    aims = ctx.goals_of(plan)
    if aims.goals and t < started + aims.window:
        session.variables = {k: v for k, v in session.variables.items() if k in aims.variables}
        session.sent, session.message = {}, None
        session.entry = {k: v for k, v in session.entry.items() if k in aims.fields}
        state.ended.append(session)


def _leave_by(ctx: Context, plan: Plan, session: Session, t: int) -> None:
    """Run the ``on_exit`` steps, none of which waits."""
    number, stood = plan.on_exit, session.step
    while number >= 0:
        node = plan.steps[number]
        if isinstance(node.verb, End):  # it is ending already
            _arrive(ctx, plan, session, node, t)
            break
        number = _walk(ctx, plan, session, node, t)
    session.step = stood


def _dead(ctx: Context, plan: Plan, session: Session, t: int) -> None:
    ctx.outputs.append(
        DeadLetter(
            id=ctx.next_session_output_id(session),
            user=ctx.user,
            at=t,
            reason="too_many_steps",
            cause=ctx.cause,
            flow=plan.id,
            step=node_of(plan, session).name,
            detail=f"more than {MOST_STEPS} steps on one signal, {MOST_TOGETHER} of all sessions",
        )
    )
