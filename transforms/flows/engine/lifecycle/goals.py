"""Goals: counted once per session and goal, within a time after the entry, also after the exit (R24)."""

from __future__ import annotations

from transforms.flows.catalog.compiled import CompiledGoal, Plan
from transforms.flows.clock.delays import after
from transforms.flows.engine.context import Context
from transforms.flows.engine.limits import MOST_ENDED
from transforms.flows.engine.messages.communications import variants_of
from transforms.flows.engine.steps.moves import end
from transforms.flows.engine.working import Session
from transforms.flows.protocol.outputs import Conversion
from transforms.flows.protocol.signals import Event
from transforms.flows.state.limits import LARGEST


def count_goals(ctx: Context, event: Event, sessions: list[Session]) -> None:
    """Match an event against the goals of live and ended sessions."""
    for session in sessions:
        plan = session.plan
        aims = ctx.goals_of(plan)
        if event.name in aims.events:
            for target in aims.goals:
                if _reached(ctx, session, target, event):
                    _convert(ctx, session, target)


def _reached(ctx: Context, session: Session, target: CompiledGoal, event: Event) -> bool:
    goal = target.goal
    if event.name != target.matcher.event or goal.name in session.goals:
        return False
    view = ctx.view_of(session)
    inside = ctx.now < after(goal.within, session.started, view.zone)
    return inside and target.matcher.test(view)


def _convert(ctx: Context, session: Session, target: CompiledGoal) -> None:
    plan = session.plan
    value = target.value(ctx.view_of(session)) if target.value is not None else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
        value = None
    session.goals = [*session.goals, target.goal.name]
    ctx.outputs.append(
        Conversion(
            id=ctx.next_session_output_id(session),
            user=ctx.user,
            at=ctx.now,
            flow=plan.id,
            version=plan.version,
            session=session.id,
            step=plan.steps[session.step].name,
            goal=target.goal.name,
            value=None if value is None else float(value),
            entered=session.started,
            cause=ctx.cause,
            steps=tuple(_name(plan, number) for number in session.visits),
            variants=variants_of(plan, session),
            silent=session.silent,
        )
    )
    if plan.flow.exit_on_goal and session.ended is None:
        end(ctx, session, "goal", forced=True)


def _name(plan: Plan, number: int) -> str:
    """Name a step that was reached, also one that only an earlier version has (R27)."""
    node = plan.steps.get(number)
    if node is not None:
        return node.name
    return next(name for name, known in plan.step_numbers.items() if known == number)


def forget_ended(ctx: Context) -> None:
    """Drop the stubs of ended sessions whose goals are over."""
    ended = ctx.state.ended
    if ended:
        ended = [session for session in ended if _waits_for_goals(ctx, session)]
        for session in ended[:-MOST_ENDED]:
            ctx.emit_rejection("goals_forgotten", session.plan.flow.id)
        ctx.state.ended = ended[-MOST_ENDED:]


def _waits_for_goals(ctx: Context, session: Session) -> bool:
    aims = ctx.goals_of(session.plan)
    open_goals = any(target.goal.name not in session.goals for target in aims.goals)
    return open_goals and ctx.now < session.started + aims.window
