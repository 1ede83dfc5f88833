"""A session's way: steps run in memory until a wait or an end (R6).

``_do`` is the meaning of every step; what ends a wait stands in ``react``.
"""

from __future__ import annotations

from typing import Final, assert_never

from transforms.flows.catalog.compiled import END, Node, Plan
from transforms.flows.clock.elapsing import after
from transforms.flows.clock.schedules import next_occurrence, recurring, resolve
from transforms.flows.clock.windows import opening
from transforms.flows.definitions.verbs import (
    CallApi,
    CallWebhook,
    CancelAll,
    CaseAudience,
    CaseCall,
    CaseEvent,
    CaseInbound,
    CaseStatus,
    CaseWhen,
    ChangeAudience,
    EmitEvent,
    End,
    Enroll,
    ExportFields,
    If,
    Leave,
    MatchMessage,
    Promote,
    RunCode,
    Send,
    Split,
    Update,
    Wait,
    WaitFor,
    WaitUntil,
    WaitVisit,
    WaitWindow,
)
from transforms.flows.engine.context import Run, node_of
from transforms.flows.engine.messages.delivery_reports import fits
from transforms.flows.engine.messages.inbound import matched
from transforms.flows.engine.messages.plan import plan_send
from transforms.flows.engine.messages.statuses import cancel_all, cancel_planned, restay
from transforms.flows.engine.profile.audiences import announce, set_member
from transforms.flows.engine.profile.visits import begin as begin_visit
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
from transforms.flows.protocol.outputs import DeadLetter
from transforms.flows.state.ids import draw
from transforms.flows.state.limits import LONGEST_WAIT
from transforms.flows.state.working import Session

PARKED: Final = -2
ENDED: Final = -3
ASKED: Final = -4
MOST_STEPS: Final = 1_000
MOST_TOGETHER: Final = 10_000


def proceed(run: Run, plan: Plan, session: Session, number: int, t: int) -> None:
    """Run steps from one on, until the session waits or ends (C20).

    A session that parks while an exit condition has become true ends at once (R18, R23).
    """
    if session.happened:
        session.happened = []
    if session.call:
        session.call = 0
    name = session.id
    walked = run.walked.get(name, 0)
    while number >= 0:
        walked += 1
        run.steps += 1
        if walked > MOST_STEPS or run.steps > MOST_TOGETHER:
            _dead(run, plan, session, t)
            end(run, plan, session, t, "too_many_steps")
            return
        number = _walk(run, plan, session, plan.nodes[number], t)
    run.walked[name] = walked
    if number == END:
        end(run, plan, session, t, "completed")
    elif number == PARKED:
        run.move("waiting", plan, session, node_of(plan, session).name, t, until=session.due)
        if plan.exit_conditions:
            exit_conditions(run, plan, session, t)


def _walk(run: Run, plan: Plan, session: Session, node: Node, t: int) -> int:
    """Arrive at a step and do it, as the cause of what it raises (R11); return where to go on."""
    _arrive(run, plan, session, node, t)
    causes, actor, name = run.causes, run.actor, session.id
    run.causes = causes if name in causes else causes | {name}
    run.actor = name
    number = _do(run, plan, session, node, t)
    run.causes, run.actor = causes, actor
    return number


def _arrive(run: Run, plan: Plan, session: Session, node: Node, t: int) -> None:
    number, visits = node.number, session.visits
    session.step, session.since = number, t
    visits[number] = visits.get(number, 0) + 1
    reached = run.state.histories[plan.number].reached
    first = number not in reached
    if first:
        reached.append(number)
    if not session.silent:
        run.dirty = True
    run.move("reached", plan, session, node.name, t, first=first)


def _do(run: Run, plan: Plan, session: Session, node: Node, t: int) -> int:
    """Do a step; return the next step, END, PARKED or ENDED."""
    verb = node.verb
    # The commonest first: each case that does not match costs a look at the class.
    match verb:
        case Send():
            refused = plan_send(run, plan, session, node, t)
            return node.named.get(refused, node.then) if refused is not None else node.then
        case Wait(delay=delay):
            session.due = after(delay, t, run.zone_of(plan))
            return _park(run, plan, session, t)
        case If():
            return _if(run, plan, session, node, t)
        case WaitFor():
            return _wait_for(run, plan, session, node, verb, t)
        case WaitVisit(delay=delay):
            if begin_visit(run, plan, session, delay, t):
                return _park(run, plan, session, t)
            return node.named["gone"]
        case WaitUntil():
            return _wait_until(run, plan, session, node, verb, t)
        case WaitWindow(window=window):
            opens = opening(window, t, run.zone_of(plan))
            if opens <= t:
                return node.then
            session.due = opens
            return _park(run, plan, session, t)
        case MatchMessage():
            return matched(node, session)
        case Split():
            return _split(run, plan, session, node, verb, t)
        case Promote():
            promote(run, plan, session, node, verb, t)
            return node.then
        case CallWebhook():
            webhook(run, plan, session, node, verb, t)
            return node.then
        case CallApi():
            if call_api(run, plan, session, node, verb, t):
                return _park(run, plan, session, t)
            return _refused(run, plan, session, node, t)
        case RunCode():
            run_code(run, plan, session, node, verb, t)
            return ASKED
        case ExportFields():
            export(run, plan, session, node, verb, t)
            return node.then
        case Update():
            do_update(run, plan, session, node, verb, t)
            return node.then
        case ChangeAudience(audience=audience, add=add):
            if not withheld(run, plan, session, node, t) and set_member(run, audience, add, t):
                announce(run, audience, add, t, plan.id, node.name)
            return node.then
        case EmitEvent():
            emit(run, plan, session, node, verb, t)
            return node.then
        case Enroll():
            enroll(run, plan, session, node, verb, t)
            return node.then
        case Leave():
            leave_flows(run, plan, session, node, verb, t)
            return node.then
        case CancelAll():
            if not withheld(run, plan, session, node, t):
                cancel_all(run, plan, session, t)
            return node.then
        case End(reason=reason):
            end(run, plan, session, t, reason)
            return ENDED
        case _:
            assert_never(verb)


def _refused(run: Run, plan: Plan, session: Session, node: Node, t: int) -> int:
    """Go on from a call that may not leave."""
    run.reject("killed", t, plan.id, KILLED, node.name)
    if "error" in node.named:
        return node.named["error"]
    end(run, plan, session, t, "call_failed")
    return ENDED


def _park(run: Run, plan: Plan, session: Session, t: int) -> int:
    recheck(run, plan, session, t)
    return PARKED


def _wait_until(run: Run, plan: Plan, session: Session, node: Node, verb: WaitUntil, t: int) -> int:
    view = run.look(t, plan, session)
    value = node.path(view) if node.path else None
    again = session.visits[node.number] > 1 and recurring(verb.moment)
    due = (next_occurrence if again else resolve)(verb.moment, t, view.zone, value)
    if due is None or due > t + LONGEST_WAIT:
        if "missing" in node.named:
            return node.named["missing"]
        end(run, plan, session, t, "missing_date" if due is None else "too_far")
        return ENDED
    if due <= t:
        if verb.past == "go":
            return node.then
        end(run, plan, session, t, "past_date")
        return ENDED
    session.due = due
    return _park(run, plan, session, t)


def _wait_for(run: Run, plan: Plan, session: Session, node: Node, verb: WaitFor, t: int) -> int:
    timeout = verb.timeout
    due = after(timeout, t, run.zone_of(plan)) if timeout else t + LONGEST_WAIT
    if timeout is not None and due <= t:
        return node.named["timeout"]
    if node.levels:
        true = [i for i in node.levels if holds(run, plan, session, node, i, t)]
        if true and not verb.rank:
            return node.targets[true[0]]
        session.happened = true
    if session.loaded:
        session.loaded = None
    session.due = due
    return _park(run, plan, session, t)


def holds(run: Run, plan: Plan, session: Session, node: Node, index: int, t: int) -> bool:
    """Tell whether a case that is a level, not an event, is true."""
    verb = node.verb
    assert isinstance(verb, WaitFor)
    case = verb.cases[index]
    match case:
        case CaseWhen():
            condition = node.conditions[index]
            return condition is not None and condition.test(run.look(t, plan, session))
        case CaseStatus(status=status, step=step):
            sent = session.sent.get(plan.numbers[step])
            found = (c for c in run.state.communications if c.id == sent)
            if not any(status == c.status or status in c.facts for c in found):
                return False
            return fits(run, plan, session, node, index, step, t)
        case CaseEvent() | CaseAudience() | CaseInbound() | CaseCall():
            return False
        case _:
            assert_never(case)


def _if(run: Run, plan: Plan, session: Session, node: Node, t: int) -> int:
    view = run.look(t, plan, session)
    for condition, target in zip(node.conditions, node.targets, strict=True):
        if condition is not None and condition.test(view):
            return target
    return node.named["else"]


def _split(run: Run, plan: Plan, session: Session, node: Node, verb: Split, t: int) -> int:
    """Draw a branch by hash: the same for a user at every visit, unless it redraws (I11)."""
    parts = [run.space, plan.id, node.name, run.user]
    if verb.redraw:
        parts += [session.id, str(session.visits[node.number])]
    index = _drawn(verb, draw(*parts))
    if run.era.winners and not verb.branches[index].holdout:
        index = _won(verb, run.era.winners.get((plan.number, node.number)), index)
    branch = verb.branches[index]
    session.variants[node.number] = index
    if branch.holdout:
        session.silent = run.dirty = True
    run.move("left", plan, session, node.name, t, variant=f"{node.name}={branch.name}", since=t)
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


def recheck(run: Run, plan: Plan, session: Session, t: int) -> None:
    """Note when a condition that this session watches may change by time alone (R18)."""
    node = plan.nodes.get(session.step)
    conditions = (*plan.exit_timed, *(node.timed if node else ()))
    if not conditions:
        session.check = None
        return
    view = run.look(t, plan, session)
    changes = [c.next_change(view) for c in conditions]
    session.check = min((at for at in changes if at is not None), default=None)


def exit_conditions(run: Run, plan: Plan, session: Session, t: int, start: bool = False) -> bool:
    """End the session if an exit condition became true; at the ``start`` only note what is."""
    view = run.look(t, plan, session)
    true = [i for i, c in enumerate(plan.exit_conditions) if c.test(view)]
    fresh = [i for i in true if i not in session.true]
    session.true = true
    if fresh and not start:
        end(run, plan, session, t, "exit_rule", forced=True)
        return True
    return False


def end(
    run: Run, plan: Plan, session: Session, t: int, reason: str, *, forced: bool = False
) -> None:
    """End a session for a reason (R23): run ``on_exit``, keep a stub for its goals (R24).

    An end that is ``forced`` on the session cancels what it has planned (R14).
    """
    state, name = run.state, session.id
    state.sessions = [s for s in state.sessions if s.id != name]
    if session.due is not None or session.check is not None or session.halt is not None:
        node = node_of(plan, session)
        run.move("left", plan, session, node.name, t, reason=reason, since=session.since)
    session.due = session.check = None
    if forced:
        cancel_planned(run, session, t)
    if session.halt is not None:
        session.halt = None
        restay(run, t)
    if plan.on_exit != END and session.ended is None:
        session.ended = t
        _leave_by(run, plan, session, t)
    session.ended = t
    session.promotions = []
    run.move(
        "ended",
        plan,
        session,
        plan.nodes[session.step].name,
        t,
        reason=reason,
        since=session.started,
    )
    run.dirty = run.dirty or not session.silent
    started = session.started
    for visit in reversed(state.histories[plan.number].visits):
        if visit.took is None and visit.entered == started and visit.key == session.key:
            visit.took = t - started
            break
    aims = run.aims_of(plan)
    if aims.targets and t < started + aims.window:
        session.variables = {k: v for k, v in session.variables.items() if k in aims.variables}
        session.sent, session.message = {}, None
        session.entry = {k: v for k, v in session.entry.items() if k in aims.fields}
        state.ended.append(session)


def _leave_by(run: Run, plan: Plan, session: Session, t: int) -> None:
    """Run the ``on_exit`` steps, none of which waits."""
    number, stood = plan.on_exit, session.step
    while number >= 0:
        node = plan.nodes[number]
        if isinstance(node.verb, End):  # it is ending already
            _arrive(run, plan, session, node, t)
            break
        number = _walk(run, plan, session, node, t)
    session.step = stood


def _dead(run: Run, plan: Plan, session: Session, t: int) -> None:
    run.outputs.append(
        DeadLetter(
            id=run.session_id(session),
            user=run.user,
            at=t,
            reason="too_many_steps",
            cause=run.cause,
            flow=plan.id,
            step=node_of(plan, session).name,
            detail=f"more than {MOST_STEPS} steps on one signal, {MOST_TOGETHER} of all sessions",
        )
    )
