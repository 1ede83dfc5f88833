"""Running sessions taken along to a new version: where they stand, by the name of the step (R27).

Nothing that ran runs again; what is planned is judged by the version that planned it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from transforms.flows.catalog.compiled import END, Node, Plan
from transforms.flows.catalog.epochs import Effect
from transforms.flows.clock.delays import Delay
from transforms.flows.clock.elapsing import after
from transforms.flows.clock.schedules import resolve
from transforms.flows.clock.windows import opening
from transforms.flows.definitions.verbs import (
    CallApi,
    Case,
    Promote,
    Split,
    Verb,
    Wait,
    WaitFor,
    WaitUntil,
    WaitVisit,
    WaitWindow,
)
from transforms.flows.engine.context import Run
from transforms.flows.engine.profile.visits import changed as changed_visit
from transforms.flows.engine.steps.advance import end, exit_conditions, holds, proceed, recheck
from transforms.flows.engine.steps.call_results import FAILED
from transforms.flows.engine.steps.calls import API_BOUND
from transforms.flows.engine.steps.waits import leave
from transforms.flows.state.limits import LONGEST_WAIT
from transforms.flows.state.stored import Promotion
from transforms.flows.state.working import Session


def migrate(run: Run, effect: Effect, t: int) -> None:
    """Take a flow's sessions along, at a record's effective time; halted ones at their resume."""
    for session in run.in_order():
        if session.flow == effect.flow and session.ended is None and session.halt is None:
            take_along(run, session, effect, t)


def missed(run: Run, session: Session, since: int, t: int) -> list[Effect]:
    """Return the migrations of a session's flow since it stood still, those it has had aside."""
    found = [
        effect
        for effect in run.catalog.migrations
        if effect.flow == session.flow and since <= effect.at <= t
    ]
    had = [i for i, effect in enumerate(found) if effect.version == session.version]
    return found[had[-1] + 1 :] if had else found


def take_along(run: Run, session: Session, effect: Effect, t: int) -> None:
    """Move a session that waits to another version: at its step, or at the successor of that."""
    old, plan = run.plan_of(session), run.plans[session.flow, effect.version]
    if old is plan:
        return
    before, node = old.nodes[session.step], plan.nodes.get(session.step)
    if node is not None and type(node.verb) is type(before.verb):
        _stay(run, old, plan, session, before, node, t)
        return
    target = effect.successors.get(session.step)
    if target is None:
        end(run, old, session, t, "flow_changed", forced=True)
        return
    run.move("left", old, session, before.name, t, reason="flow_changed", since=session.since)
    _repin(run, old, plan, session, t)
    session.due = session.check = None
    proceed(run, plan, session, target, t)


def go_on(
    run: Run, session: Session, effects: Sequence[Effect], target: int, why: str | None, t: int
) -> None:
    """Let a session that decided while it stood still go on, in the version it is taken to."""
    plan = old = run.plan_of(session)
    for effect in effects:
        plan = run.plans[session.flow, effect.version]
        if target != END and target not in plan.nodes:
            found = effect.successors.get(target)
            if found is None:
                end(run, old, session, t, "flow_changed", forced=True)
                return
            target = found
    run.move("left", old, session, old.nodes[session.step].name, t, reason=why, since=session.since)
    session.halt = session.due = session.check = None
    _repin(run, old, plan, session, t)
    # An end without a step to go to is written at the step where the session stood.
    if target == END and session.step not in plan.nodes:
        session.version = old.version
        plan = old
    if target == END and why == FAILED and "error" not in old.nodes[session.step].named:
        end(run, plan, session, t, FAILED)
        return
    proceed(run, plan, session, target, t)


def _stay(
    run: Run, old: Plan, plan: Plan, session: Session, before: Node, node: Node, t: int
) -> None:
    """Wait on at the same step, as the new version has it."""
    _repin(run, old, plan, session, t)
    verb, due = node.verb, _due(run, plan, session, before.verb, node, t)
    if isinstance(verb, WaitFor) and isinstance(before.verb, WaitFor):
        session.happened = list(_happened(session.happened, before.verb, verb))
        session.loaded = list(_happened(session.loaded or (), before.verb, verb)) or None
    if due is None:
        missing = node.named.get("missing")
        if missing is None:
            end(run, plan, session, t, "missing_date")
        else:
            leave(run, plan, session, missing, t)
        return
    session.due = due
    run.move("waiting", plan, session, node.name, t, reason="migrated", until=due)
    if isinstance(verb, WaitFor):
        true = {
            *session.happened,
            *(i for i in node.levels if _is_true(run, plan, session, node, i, t)),
        }
        if true and not verb.rank:
            index = min(true)
            leave(run, plan, session, node.targets[index], t, reason=f"case_{index + 1}")
            return
        session.happened = sorted(true)
    recheck(run, plan, session, t)


def _is_true(run: Run, plan: Plan, session: Session, node: Node, index: int, t: int) -> bool:
    return index not in (session.loaded or ()) and holds(run, plan, session, node, index, t)


def _due(run: Run, plan: Plan, session: Session, before: Verb, node: Node, t: int) -> int | None:
    """Compute a wait that has changed anew, from its own start; what is past is due now."""
    where, since, due = run.zone_of(plan), session.since, session.due
    match before, node.verb:
        case Wait(delay=old), Wait(delay=new) if old != new:
            due = _lasting(old, new, session, where)
        case WaitFor(timeout=old), WaitFor(timeout=new) if old != new:
            due = _lasting(old, new, session, where)
        case WaitVisit(delay=old), WaitVisit(delay=new) if old != new:
            due = changed_visit(run, session, old, new, where)
        case CallApi(timeout=old), CallApi(timeout=new) if old != new:
            due = _lasting(old, new, session, where, API_BOUND)
        case WaitUntil(moment=old), WaitUntil(moment=new) if old != new:
            view = run.look(t, plan, session)
            due = resolve(new, since, view.zone, node.path(view) if node.path else None)
            if due is None or due > t + LONGEST_WAIT:
                return None
        case WaitWindow(window=old), WaitWindow(window=new) if old != new:
            due = opening(new, t, where)
        case _:
            pass
    return due if due is None else max(due, t)


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


def _repin(run: Run, old: Plan, plan: Plan, session: Session, t: int) -> None:
    """Let a session be of another version: drawn branches go by name, and exit rules begin anew."""
    session.variants = dict(_variants(old, plan, session.variants))
    session.version = plan.version
    kept = [shown for shown in session.promotions if _shown(plan, shown)]
    if len(kept) < len(session.promotions):
        session.promotions = kept
    run.dirty = run.dirty or not session.silent
    run.forget_look()
    session.true = []
    if plan.exit_conditions:
        exit_conditions(run, plan, session, t, start=True)


def _shown(plan: Plan, shown: Promotion) -> bool:
    node = plan.nodes.get(shown.step)
    return node is not None and isinstance(node.verb, Promote)


def _variants(old: Plan, plan: Plan, drawn: dict[int, int]) -> Iterable[tuple[int, int]]:
    for number, index in drawn.items():
        before, node = old.nodes[number].verb, plan.nodes.get(number)
        if node is not None and isinstance(before, Split) and isinstance(node.verb, Split):
            names = [branch.name for branch in node.verb.branches]
            if before.branches[index].name in names:
                yield number, names.index(before.branches[index].name)
