"""Migration of running sessions to a new version, by the name of their step (R27).

No step runs again. A planned message is decided by the version that planned it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transforms.flows.catalog.compiled import END, Plan
from transforms.flows.catalog.epochs import Effect
from transforms.flows.definitions.steps.branches import Split
from transforms.flows.definitions.steps.sends import Promote
from transforms.flows.engine.context import Context
from transforms.flows.engine.goal_states import note_true
from transforms.flows.engine.steps.calls import FAILED
from transforms.flows.engine.steps.logic import Exit
from transforms.flows.engine.steps.moves import (
    end,
    exit_conditions,
    leave_by,
    logic_of,
    proceed,
    recheck_time,
)
from transforms.flows.engine.steps.waits import NO_DATE
from transforms.flows.engine.working import Session
from transforms.flows.state.stored import Promotion


def migrate(ctx: Context, effect: Effect) -> None:
    """Migrate a flow's sessions at a record's effective time; halted ones migrate at their resume."""
    for session in ctx.sessions_in_order():
        if session.flow == effect.flow and session.ended is None and session.halt is None:
            migrate_session(ctx, session, effect)


def missed_migrations(ctx: Context, session: Session, since: int) -> list[Effect]:
    """Return the migrations of the flow that a session missed while it was halted."""
    found = [
        effect
        for effect in ctx.catalog.migrations
        if effect.flow == session.flow and since <= effect.at <= ctx.now
    ]
    had = [i for i, effect in enumerate(found) if effect.version == session.version]
    return found[had[-1] + 1 :] if had else found


def migrate_session(ctx: Context, session: Session, effect: Effect) -> None:
    """Move a waiting session to another version: to the same step, or to its successor."""
    old, plan = session.plan, ctx.plans[session.flow, effect.version]
    if old is plan:
        return
    before, node = old.steps[session.step], plan.steps.get(session.step)
    if node is not None and type(node.verb) is type(before.verb):
        _stay(ctx, session, plan)
        return
    target = effect.successors.get(session.step)
    if target is None:
        end(ctx, session, "flow_changed", forced=True)
        return
    ctx.emit_transition("left", session, reason="flow_changed", since=session.since)
    _repin(ctx, session, plan)
    session.due = session.recheck_at = None
    proceed(ctx, session, target)


def resume_decided(
    ctx: Context, session: Session, effects: Sequence[Effect], target: int, why: str | None
) -> None:
    """Resume a session whose wait ended while it was halted, in the version it migrates to."""
    plan = old = session.plan
    for effect in effects:
        plan = ctx.plans[session.flow, effect.version]
        if target != END and target not in plan.steps:
            found = effect.successors.get(target)
            if found is None:
                end(ctx, session, "flow_changed", forced=True)
                return
            target = found
    ctx.emit_transition("left", session, reason=why, since=session.since)
    session.halt = session.due = session.recheck_at = None
    _repin(ctx, session, plan)
    # If the session ends and the new version lacks its step, the rows name the old step.
    if target == END and session.step not in plan.steps:
        session.pin_to(old)
        plan = old
    if target == END and why == FAILED and "error" not in old.steps[session.step].ports:
        end(ctx, session, FAILED)
        return
    if target == END and why is not None and why in NO_DATE:
        end(ctx, session, why)
        return
    proceed(ctx, session, target)


def _stay(ctx: Context, session: Session, plan: Plan) -> None:
    """Continue the wait at the same step of the new version; a time in the past is due now."""
    before, logic = session.node, logic_of(session)
    _repin(ctx, session, plan)
    due = logic.rebase(ctx, session, before)
    if due is None:
        missing = session.node.ports.get("missing")
        if missing is None:
            end(ctx, session, "missing_date")
        else:
            leave_by(ctx, session, Exit(missing))
        return
    session.due = max(due, ctx.now)
    ctx.emit_transition("waiting", session, reason="migrated", until=session.due)
    taken = logic.on_migrated(ctx, session)
    if taken is None:
        recheck_time(ctx, session)
    else:
        leave_by(ctx, session, taken)


def _repin(ctx: Context, session: Session, plan: Plan) -> None:
    """Pin a session to another version: keep assigned branches by name, restart conditions.

    Goals that both versions have go on; others count once they become true.
    """
    goals = ctx.goals_of(session.plan)
    session.variants = dict(_variants(session.plan, plan, session.variants))
    session.pin_to(plan)
    kept = [shown for shown in session.promotions if _shown(plan, shown)]
    if len(kept) < len(session.promotions):
        session.promotions = kept
    ctx.flow_state_changed = ctx.flow_state_changed or not session.silent
    ctx.invalidate_view()
    session.exit_true = []
    if plan.exit_conditions:
        exit_conditions(ctx, session, start=True)
    if ctx.catalog.state_goals:
        note_true(ctx, session, goals)


def _shown(plan: Plan, shown: Promotion) -> bool:
    node = plan.steps.get(shown.step)
    return node is not None and isinstance(node.verb, Promote)


def _variants(old: Plan, plan: Plan, drawn: dict[int, int]) -> Iterable[tuple[int, int]]:
    for number, index in drawn.items():
        before, node = old.steps[number].verb, plan.steps.get(number)
        if node is not None and isinstance(before, Split) and isinstance(node.verb, Split):
            names = [branch.name for branch in node.verb.branches]
            if before.branches[index].name in names:
                yield number, names.index(before.branches[index].name)
