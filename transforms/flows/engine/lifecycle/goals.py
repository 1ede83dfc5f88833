"""Goals: each counts once per session, within a time after its entry, even after its exit (R24).

A goal on a condition or an audience counts when it becomes true. The first conversion of a user
and goal is marked, so that the users of a goal are a plain sum.
"""

from __future__ import annotations

from collections.abc import Iterable

from transforms.flows.catalog.compiled import CompiledGoal, Plan
from transforms.flows.catalog.epochs import Epoch
from transforms.flows.clock.delays import after
from transforms.flows.engine.context import Context
from transforms.flows.engine.goal_states import became_true
from transforms.flows.engine.limits import MOST_ENDED
from transforms.flows.engine.messages.communications import variants_of
from transforms.flows.engine.steps.moves import end, recheck_goals
from transforms.flows.engine.working import Session
from transforms.flows.protocol.outputs import Conversion
from transforms.flows.protocol.signals import Event
from transforms.flows.state.limits import LARGEST


def count_goals(ctx: Context, event: Event, sessions: list[Session]) -> None:
    """Match an event against the goals of live and ended sessions."""
    for session in sessions:
        plan = session.plan
        goal_set = ctx.goals_of(plan)
        if event.name in goal_set.events:
            for compiled in goal_set.goals:
                if _reached(ctx, session, compiled, event):
                    _convert(ctx, session, compiled)


def count_states(ctx: Context, sessions: Iterable[Session]) -> bool:
    """Count goals on a condition or an audience that became true; return True if there is one."""
    found = False
    for session in sessions:
        goal_set = ctx.goals_of(session.plan)
        if goal_set.states:
            for compiled in became_true(ctx, session):
                _convert(ctx, session, compiled)
                found = True
            if goal_set.timed:
                recheck_goals(ctx, session)
    return found


def _reached(ctx: Context, session: Session, compiled: CompiledGoal, event: Event) -> bool:
    goal, matcher = compiled.goal, compiled.matcher
    if matcher is None or event.name != matcher.event or goal.name in session.goals:
        return False
    view = ctx.view_of(session)
    inside = ctx.now < after(goal.within, session.started, view.zone)
    return inside and matcher.test(view)


def _convert(ctx: Context, session: Session, compiled: CompiledGoal) -> None:
    plan = session.plan
    value = compiled.value(ctx.view_of(session)) if compiled.value is not None else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
        value = None
    session.goals = [*session.goals, compiled.goal.name]
    ctx.outputs.append(
        Conversion(
            id=ctx.next_session_output_id(session),
            user=ctx.user,
            at=ctx.now,
            flow=plan.id,
            version=plan.version,
            session=session.id,
            step=plan.steps[session.step].name,
            goal=compiled.goal.name,
            value=None if value is None else float(value),
            entered=session.started,
            cause=ctx.cause,
            steps=tuple(_name(plan, number) for number in session.visits),
            variants=variants_of(plan, session),
            silent=session.silent,
            first_conversion=_first(ctx, plan.number, compiled.goal.name),
        )
    )
    if plan.flow.exit_on_goal and session.ended is None:
        end(ctx, session, "goal", forced=True)


def _first(ctx: Context, flow: int, goal: str) -> bool:
    """Note that the user has reached a goal of a flow; return True for the first time."""
    reached = ctx.state.converted.setdefault(flow, [])
    if goal in reached:
        return False
    reached.append(goal)
    return True


def _name(plan: Plan, number: int) -> str:
    """Return the name of a step, even of one that only an earlier version has (R27)."""
    node = plan.steps.get(number)
    if node is not None:
        return node.name
    return next(name for name, known in plan.step_numbers.items() if known == number)


def forget_ended(ctx: Context, epoch: Epoch | None = None) -> None:
    """Drop the stubs of ended sessions that no goal can count for any more.

    The goals are those of ``epoch``, by default of now.
    """
    ended = ctx.state.ended
    if ended:
        ended = [session for session in ended if _waits_for_goals(ctx, session, epoch or ctx.epoch)]
        for session in ended[:-MOST_ENDED]:
            ctx.emit_rejection("goals_forgotten", session.plan.flow.id)
        ctx.state.ended = ended[-MOST_ENDED:]


def _waits_for_goals(ctx: Context, session: Session, epoch: Epoch) -> bool:
    goal_set = epoch.goals_of(session.plan)
    open_goals = any(compiled.goal.name not in session.goals for compiled in goal_set.goals)
    return open_goals and ctx.now < session.started + goal_set.window
