"""Running sessions taken along to a new version: where they stand, by the name of the step (R27).

Nothing that ran runs again; what is planned is judged by the version that planned it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from transforms.flows.catalog.compiled import END, CompiledStep, Plan
from transforms.flows.catalog.epochs import Effect
from transforms.flows.clock.delays import Delay
from transforms.flows.clock.elapsing import after
from transforms.flows.clock.schedules import resolve
from transforms.flows.clock.windows import opening
from transforms.flows.definitions.steps.branches import Split
from transforms.flows.definitions.steps.calls import CallApi
from transforms.flows.definitions.steps.kinds import Verb
from transforms.flows.definitions.steps.sends import Promote
from transforms.flows.definitions.steps.waits import (
    Case,
    Wait,
    WaitFor,
    WaitUntil,
    WaitVisit,
    WaitWindow,
)
from transforms.flows.engine.context import Context
from transforms.flows.engine.profile.visits import rebased_due as changed_visit
from transforms.flows.engine.steps.advance import end, exit_conditions, holds, proceed, recheck
from transforms.flows.engine.steps.call_results import FAILED
from transforms.flows.engine.steps.calls import API_BOUND
from transforms.flows.engine.steps.waits import leave_wait
from transforms.flows.engine.working import Session
from transforms.flows.state.limits import LONGEST_WAIT
from transforms.flows.state.stored import Promotion


def migrate(ctx: Context, effect: Effect) -> None:
    """Take a flow's sessions along, at a record's effective time; halted ones at their resume."""
    for session in ctx.sessions_in_order():
        if session.flow == effect.flow and session.ended is None and session.halt is None:
            migrate_session(ctx, session, effect)


def missed_migrations(ctx: Context, session: Session, since: int) -> list[Effect]:
    """Return the migrations of a session's flow since it stood still, those it has had aside."""
    found = [
        effect
        for effect in ctx.catalog.migrations
        if effect.flow == session.flow and since <= effect.at <= ctx.now
    ]
    had = [i for i, effect in enumerate(found) if effect.version == session.version]
    return found[had[-1] + 1 :] if had else found


def migrate_session(ctx: Context, session: Session, effect: Effect) -> None:
    """Move a session that waits to another version: at its step, or at the successor of that."""
    old, plan = session.plan, ctx.plans[session.flow, effect.version]
    if old is plan:
        return
    before, node = old.steps[session.step], plan.steps.get(session.step)
    if node is not None and type(node.verb) is type(before.verb):
        _stay(ctx, old, plan, session, before, node)
        return
    target = effect.successors.get(session.step)
    if target is None:
        end(ctx, session, "flow_changed", forced=True)
        return
    ctx.emit_transition("left", session, reason="flow_changed", since=session.since)
    _repin(ctx, old, plan, session)
    session.due = session.recheck_at = None
    proceed(ctx, session, target)


def resume_decided(
    ctx: Context, session: Session, effects: Sequence[Effect], target: int, why: str | None
) -> None:
    """Let a session that decided while it stood still go on, in the version it is taken to."""
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
    _repin(ctx, old, plan, session)
    # An end without a step to go to is written at the step where the session stood.
    if target == END and session.step not in plan.steps:
        session.version, session.plan = old.version, old
        plan = old
    if target == END and why == FAILED and "error" not in old.steps[session.step].ports:
        end(ctx, session, FAILED)
        return
    proceed(ctx, session, target)


def _stay(
    ctx: Context,
    old: Plan,
    plan: Plan,
    session: Session,
    before: CompiledStep,
    node: CompiledStep,
) -> None:
    """Wait on at the same step, as the new version has it."""
    _repin(ctx, old, plan, session)
    verb, due = node.verb, _due(ctx, plan, session, before.verb, node)
    if isinstance(verb, WaitFor) and isinstance(before.verb, WaitFor):
        session.matched_cases = list(_happened(session.matched_cases, before.verb, verb))
        session.baseline = list(_happened(session.baseline or (), before.verb, verb)) or None
    if due is None:
        missing = node.ports.get("missing")
        if missing is None:
            end(ctx, session, "missing_date")
        else:
            leave_wait(ctx, session, missing)
        return
    session.due = due
    ctx.emit_transition("waiting", session, reason="migrated", until=due)
    if isinstance(verb, WaitFor):
        true = {
            *session.matched_cases,
            *(i for i in node.levels if _is_true(ctx, plan, session, node, i)),
        }
        if true and not verb.rank:
            index = min(true)
            leave_wait(ctx, session, node.targets[index], reason=f"case_{index + 1}")
            return
        session.matched_cases = sorted(true)
    recheck(ctx, session)


def _is_true(ctx: Context, plan: Plan, session: Session, node: CompiledStep, index: int) -> bool:
    return index not in (session.baseline or ()) and holds(ctx, session, index)


def _due(
    ctx: Context, plan: Plan, session: Session, before: Verb, node: CompiledStep
) -> int | None:
    """Compute a wait that has changed anew, from its own start; what is past is due now."""
    now = ctx.now
    where, since, due = ctx.zone_of(plan), session.since, session.due
    match before, node.verb:
        case Wait(delay=old), Wait(delay=new) if old != new:
            due = _lasting(old, new, session, where)
        case WaitFor(timeout=old), WaitFor(timeout=new) if old != new:
            due = _lasting(old, new, session, where)
        case WaitVisit(delay=old), WaitVisit(delay=new) if old != new:
            due = changed_visit(ctx, session, old, new, where)
        case CallApi(timeout=old), CallApi(timeout=new) if old != new:
            due = _lasting(old, new, session, where, API_BOUND)
        case WaitUntil(moment=old), WaitUntil(moment=new) if old != new:
            view = ctx.view_of(session)
            due = resolve(new, since, view.zone, node.path(view) if node.path else None)
            if due is None or due > now + LONGEST_WAIT:
                return None
        case WaitWindow(window=old), WaitWindow(window=new) if old != new:
            due = opening(new, now, where)
        case _:
            pass
    return due if due is None else max(due, now)


def _lasting(
    old: Delay | None,
    new: Delay | None,
    session: Session,
    where: ZoneInfo,
    bound: int = LONGEST_WAIT,
) -> int:
    """Return when a length of time ends; a pause or a restart has lengthened it as the old one.

    Where none is said it is the ``bound``.
    """
    since, more = session.since, 0
    if session.due is not None:
        more = max(0, session.due - _ends(old, since, where, bound))
    return more + _ends(new, since, where, bound)


def _ends(delay: Delay | None, since: int, where: ZoneInfo, bound: int) -> int:
    return since + bound if delay is None else after(delay, since, where)


def _happened(happened: Iterable[int], before: WaitFor, now: WaitFor) -> Iterable[int]:
    """Find again, among the cases of the new version, those that have happened."""
    cases = [_meaning(case) for case in now.cases]
    for index in happened:
        meaning = _meaning(before.cases[index])
        if meaning in cases:
            yield cases.index(meaning)


def _meaning(case: Case) -> Case:
    return msgspec.structs.replace(case, then=None)


def _repin(ctx: Context, old: Plan, plan: Plan, session: Session) -> None:
    """Let a session be of another version: drawn branches go by name, and exit rules begin anew."""
    session.variants = dict(_variants(old, plan, session.variants))
    session.version, session.plan = plan.version, plan
    kept = [shown for shown in session.promotions if _shown(plan, shown)]
    if len(kept) < len(session.promotions):
        session.promotions = kept
    ctx.flow_state_changed = ctx.flow_state_changed or not session.silent
    ctx.invalidate_view()
    session.exit_true = []
    if plan.exit_conditions:
        exit_conditions(ctx, session, start=True)


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
