"""How sessions move: steps run until the session waits or ends, waits end, sessions end.

The logic of a step decides; this module calls it and writes the transitions of the session.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.catalog.compiled import END, CompiledStep
from transforms.flows.definitions.flow import ExitAudience, ExitEvent, ExitWhen, rule_name
from transforms.flows.definitions.steps.flows import End
from transforms.flows.engine.context import Context
from transforms.flows.engine.goal_states import next_check, note_true
from transforms.flows.engine.messages.statuses import cancel_planned, refresh_holds
from transforms.flows.engine.steps.calls import answered
from transforms.flows.engine.steps.logic import ENDS, WAITS, Exit, StepLogic
from transforms.flows.engine.steps.registry import LOGIC
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import AudienceChange, CallResult, Event, Signal

MOST_STEPS: Final = 1_000
MOST_TOGETHER: Final = 10_000


# --- running steps -------------------------------------------------------------------------


def proceed(ctx: Context, session: Session, number: int) -> None:
    """Run steps, beginning with ``number``, until the session waits or ends (C20, R6).

    If an exit condition has become true when the session begins to wait, it ends (R18, R23).
    """
    plan, name = session.plan, session.id
    _clear_wait(session)
    walked = ctx.handling.steps_walked.get(name, 0)
    while number >= 0:
        walked += 1
        ctx.handling.steps_run += 1
        if walked > MOST_STEPS or ctx.handling.steps_run > MOST_TOGETHER:
            detail = f"more than {MOST_STEPS} steps on one signal, {MOST_TOGETHER} of all sessions"
            name = ctx.next_session_output_id(session)
            ctx.emit_dead_letter("too_many_steps", detail, name, plan.id, session.node.name)
            end(ctx, session, "too_many_steps")
            return
        number = _run(ctx, session, plan.steps[number])
    ctx.handling.steps_walked[name] = walked
    if number == WAITS:
        recheck_time(ctx, session)
        ctx.emit_transition("waiting", session, until=session.due)
        if plan.exit_conditions:
            exit_conditions(ctx, session)
    elif number == END:
        end(ctx, session, "completed")
    elif number == ENDS:
        end(ctx, session, ctx.end_reason)


def logic_of(session: Session) -> StepLogic:
    """Return the logic of the step that a session is at."""
    return LOGIC[type(session.node.verb)]


def _clear_wait(session: Session) -> None:
    if session.matched_cases:
        session.matched_cases = []
    if session.awaiting_call:
        session.awaiting_call = 0
    if session.wait_data is not None:
        session.wait_data = None


def _run(ctx: Context, session: Session, step: CompiledStep) -> int:
    """Run one step, as the cause of the signals it raises (R11); return what ``begin`` returns."""
    _arrive(ctx, session, step)
    causes, acting, name = ctx.handling.causes, ctx.handling.acting_session, session.id
    ctx.handling.causes = causes if name in causes else causes | {name}
    ctx.handling.acting_session = name
    number = LOGIC[type(step.verb)].begin(ctx, session)
    ctx.handling.causes, ctx.handling.acting_session = causes, acting
    return number


def _arrive(ctx: Context, session: Session, step: CompiledStep) -> None:
    number, visits = step.number, session.visits
    session.step, session.node, session.since = number, step, ctx.now
    visits[number] = visits.get(number, 0) + 1
    reached = ctx.state.histories[session.flow].reached
    first = number not in reached
    if first:
        reached.append(number)
    if not session.silent:
        ctx.flow_state_changed = True
    ctx.emit_transition("reached", session, first=first)


# --- ending waits ----------------------------------------------------------------------------


def on_signal(ctx: Context, session: Session, signal: Signal) -> None:
    """Apply one signal to a session: its exit rules first, then the step that it is at."""
    plan = session.plan
    if type(signal) is Event:
        if signal.name in plan.events and plan.exit_matchers:
            view = ctx.view_of(session)
            for place, matcher in enumerate(plan.exit_matchers):
                if matcher.event == signal.name and matcher.test(view):
                    end_by_rule(ctx, session, ExitEvent, place)
                    return
    elif isinstance(signal, AudienceChange) and _leaves_exit_audience(session, signal):
        end_by_audience(ctx, session, signal.audience)
        return
    if plan.exit_conditions and exit_conditions(ctx, session):
        return
    if _undecided(session):
        taken = logic_of(session).on_signal(ctx, session, signal)
        if taken is not None:
            leave_by(ctx, session, taken)
            return
    if plan.exit_conditions or any(session.node.conditions):
        _recheck_wait(ctx, session)


def _leaves_exit_audience(session: Session, change: AudienceChange) -> bool:
    return not change.entered and change.audience in session.plan.exit_audiences


def on_time(ctx: Context, session: Session) -> None:
    """Continue a session when the time of its wait is over."""
    if session.halt is not None:
        session.halt.overdue = True
    taken = logic_of(session).on_time(ctx, session)
    if taken is not None:
        leave_by(ctx, session, taken)
    elif session.due is not None:
        ctx.emit_transition("waiting", session, reason="moved", until=session.due)


def recheck_conditions(ctx: Context, session: Session) -> None:
    """Evaluate a session's exit conditions and the conditions that it waits for."""
    if not (session.plan.exit_conditions and exit_conditions(ctx, session)):
        _recheck_wait(ctx, session)


def _recheck_wait(ctx: Context, session: Session) -> None:
    if _undecided(session):
        taken = logic_of(session).on_recheck(ctx, session)
        if taken is not None:
            leave_by(ctx, session, taken)
            return
    recheck_time(ctx, session)


def recheck_time(ctx: Context, session: Session) -> None:
    """Set when a condition that the session reads may next change with time (R18)."""
    plan = session.plan
    step = plan.steps.get(session.step)
    conditions = (*plan.exit_timed, *(step.timed if step else ()))
    goals = next_check(ctx, session) if ctx.catalog.state_goals else None
    if not conditions:
        session.recheck_at = goals
        return
    view = ctx.view_of(session)
    changes = [goals, *(c.next_change(view) for c in conditions)]
    session.recheck_at = min((at for at in changes if at is not None), default=None)


def recheck_goals(ctx: Context, session: Session) -> None:
    """Set when time may change a goal on a condition; an ended session has no other timer."""
    if session.ended is None:
        recheck_time(ctx, session)
    else:
        session.recheck_at = next_check(ctx, session)


def note_goals(ctx: Context, flow: int | None = None) -> None:
    """Note which goals on conditions and audiences are true, so that none counts by itself.

    With a ``flow`` its goals are replaced by a record: those that stay the same go on.
    """
    if ctx.catalog.state_goals:
        before = ctx.catalog.at(ctx.now - 1)
        for session in (*ctx.sessions_in_order(), *ctx.state.ended):
            if not (ctx.goals_of(session.plan).states or session.goals_true):
                continue
            if flow is None:
                note_true(ctx, session)
            elif session.flow == flow:
                note_true(ctx, session, before.goals_of(session.plan))
            recheck_goals(ctx, session)


def _undecided(session: Session) -> bool:
    return session.halt is None or session.halt.target is None


def apply_call_result(ctx: Context, signal: CallResult) -> None:
    """Continue the session that waits for an answer; any other answer is a rejection."""
    owner, _, number = signal.call.rpartition("-")
    for session in ctx.state.sessions:
        if session.awaiting_call and session.id == owner and str(session.awaiting_call) == number:
            leave_by(ctx, session, answered(ctx, session, signal))
            return
    ctx.emit_rejection("unknown_call", detail=signal.call)


def leave_by(ctx: Context, session: Session, taken: Exit) -> None:
    """Leave a wait by an exit; a paused or held session stores it for the resume (R26)."""
    if taken.changed and session.plan.exit_conditions and exit_conditions(ctx, session):
        return
    halt = session.halt
    if halt is not None:
        halt.target = END if taken.target == ENDS else taken.target
        halt.why, halt.left = taken.reason, None
        session.due = None
        ctx.emit_transition("waiting", session, reason="decided")
        recheck_time(ctx, session)
    elif taken.target == ENDS:
        end(ctx, session, taken.reason or "")
    else:
        ctx.emit_transition("left", session, reason=taken.reason, since=session.since)
        session.due = session.recheck_at = None
        proceed(ctx, session, taken.target)


def note_baseline(ctx: Context) -> None:
    """Note for each live session what loaded history made true, so that it moves none (R10)."""
    for session in ctx.sessions_in_order():
        if session.plan.exit_conditions:
            exit_conditions(ctx, session, start=True)
        logic_of(session).note_baseline(ctx, session)
        recheck_time(ctx, session)
    note_goals(ctx)


# --- ending sessions -------------------------------------------------------------------------


def exit_conditions(ctx: Context, session: Session, start: bool = False) -> bool:
    """End the session if an exit condition became true; at the ``start`` only note true ones."""
    view = ctx.view_of(session)
    true = [i for i, c in enumerate(session.plan.exit_conditions) if c.test(view)]
    fresh = [i for i in true if i not in session.exit_true]
    session.exit_true = true
    if fresh and not start:
        end_by_rule(ctx, session, ExitWhen, fresh[0])
        return True
    return False


def end_by_rule(
    ctx: Context, session: Session, kind: type[ExitEvent] | type[ExitWhen], place: int
) -> None:
    """End the session by an exit rule: of the rules of a kind, the one at a place."""
    rules = [i for i, rule in enumerate(session.plan.flow.exit) if type(rule) is kind]
    _end_by(ctx, session, rules[place])


def end_by_audience(ctx: Context, session: Session, audience: str) -> None:
    """End the session by the exit rule on an audience that the user left."""
    for index, rule in enumerate(session.plan.flow.exit):
        if isinstance(rule, ExitAudience) and rule.audience == audience:
            _end_by(ctx, session, index)
            return


def _end_by(ctx: Context, session: Session, index: int) -> None:
    end(ctx, session, "exit_rule", forced=True, rule=rule_name(session.plan.flow.exit, index))


def end(
    ctx: Context, session: Session, reason: str, *, forced: bool = False, rule: str | None = None
) -> None:
    """End a session with a reason (R23): run ``on_exit``, keep a stub for its goals (R24).

    A ``forced`` end cancels the planned messages of the session (R14). ``rule`` is the exit rule
    that ended it.
    """
    plan, now, state, name = session.plan, ctx.now, ctx.state, session.id
    state.sessions = [s for s in state.sessions if s.id != name]
    if session.due is not None or session.recheck_at is not None or session.halt is not None:
        ctx.emit_transition("left", session, reason=reason, since=session.since)
    session.due = session.recheck_at = session.wait_data = None
    if forced:
        cancel_planned(ctx, session)
    if session.halt is not None:
        session.halt = None
        refresh_holds(ctx)
    if plan.on_exit != END and session.ended is None:
        session.ended = now
        _run_on_exit(ctx, session)
    session.ended = now
    session.promotions = []
    ctx.emit_transition("ended", session, reason=reason, variant=rule, since=session.started)
    ctx.flow_state_changed = ctx.flow_state_changed or not session.silent
    _close_visit(ctx, session)
    goals = ctx.goals_of(plan)
    if goals.goals and now < session.started + goals.window:
        session.variables = {k: v for k, v in session.variables.items() if k in goals.variables}
        session.sent, session.message = {}, None
        session.entry = {k: v for k, v in session.entry.items() if k in goals.fields}
        state.ended.append(session)


def _close_visit(ctx: Context, session: Session) -> None:
    started = session.started
    for visit in reversed(ctx.state.histories[session.flow].visits):
        if visit.took is None and visit.entered == started and visit.key == session.key:
            visit.took = ctx.now - started
            return


def _run_on_exit(ctx: Context, session: Session) -> None:
    """Run the ``on_exit`` steps, none of which waits."""
    plan = session.plan
    number, last_step = plan.on_exit, session.step
    while number >= 0:
        step = plan.steps[number]
        if isinstance(step.verb, End):  # the session is ending already
            _arrive(ctx, session, step)
            break
        number = _run(ctx, session, step)
    session.move_to(last_step)


def end_promotions(ctx: Context, session: Session) -> None:
    """End the promotions whose time is over or whose condition is no longer true."""
    if not session.promotions:
        return
    view = ctx.view_of(session)
    kept = []
    for shown in session.promotions:
        condition = session.plan.steps[shown.step].conditions[0]
        if shown.until is not None and shown.until <= ctx.now:
            continue
        if condition is not None and not condition.test(view):
            continue
        shown.recheck_at = condition.next_change(view) if condition and condition.timed else None
        kept.append(shown)
    if len(kept) < len(session.promotions):
        session.promotions, ctx.flow_state_changed = kept, True
