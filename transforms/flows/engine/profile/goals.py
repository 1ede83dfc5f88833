"""Goals: counted once per session and goal, within a time after the entry, also after the exit (R24)."""

from __future__ import annotations

from typing import Final

from transforms.flows.catalog.compiled import Plan, Target
from transforms.flows.clock.elapsing import after
from transforms.flows.engine.context import Run
from transforms.flows.engine.messages.communications import variants_of
from transforms.flows.engine.steps.advance import end
from transforms.flows.protocol.outputs import Conversion
from transforms.flows.protocol.signals import Event
from transforms.flows.state.limits import LARGEST
from transforms.flows.state.working import Session

MOST_ENDED: Final = 200


def count_goals(run: Run, event: Event, sessions: list[Session], t: int) -> None:
    """Hold an event against the goals of live and ended sessions."""
    for session in sessions:
        plan = run.plan_of(session)
        aims = run.aims_of(plan)
        if event.name in aims.events:
            for target in aims.targets:
                if _reached(run, plan, session, target, event, t):
                    _convert(run, plan, session, target, t)


def _reached(run: Run, plan: Plan, session: Session, target: Target, event: Event, t: int) -> bool:
    goal = target.goal
    if event.name != target.matcher.event or goal.name in session.goals:
        return False
    view = run.look(t, plan, session)
    inside = t < after(goal.within, session.started, view.zone)
    return inside and target.matcher.test(view)


def _convert(run: Run, plan: Plan, session: Session, target: Target, t: int) -> None:
    value = target.value(run.look(t, plan, session)) if target.value is not None else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
        value = None
    session.goals = [*session.goals, target.goal.name]
    run.outputs.append(
        Conversion(
            id=run.session_id(session),
            user=run.user,
            at=t,
            flow=plan.id,
            version=plan.version,
            session=session.id,
            step=plan.nodes[session.step].name,
            goal=target.goal.name,
            value=None if value is None else float(value),
            entered=session.started,
            cause=run.cause,
            steps=tuple(_name(plan, number) for number in session.visits),
            variants=variants_of(plan, session),
            silent=session.silent,
        )
    )
    if plan.flow.exit_on_goal and session.ended is None:
        end(run, plan, session, t, "goal", forced=True)


def _name(plan: Plan, number: int) -> str:
    """Name a step that was reached, also one that only an earlier version has (R27)."""
    node = plan.nodes.get(number)
    if node is not None:
        return node.name
    return next(name for name, known in plan.numbers.items() if known == number)


def forget_ended(run: Run, t: int) -> None:
    """Drop the stubs of ended sessions whose goals are over."""
    ended = run.state.ended
    if ended:
        ended = [session for session in ended if _waits_for_goals(run, session, t)]
        for session in ended[:-MOST_ENDED]:
            run.reject("goals_forgotten", t, run.plan_of(session).flow.id)
        run.state.ended = ended[-MOST_ENDED:]


def _waits_for_goals(run: Run, session: Session, t: int) -> bool:
    aims = run.aims_of(run.plan_of(session))
    open_goals = any(target.goal.name not in session.goals for target in aims.targets)
    return open_goals and t < session.started + aims.window
