"""One signal, in order (section 3): first what is due, then the signal, then what it raised."""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from transforms.flows.catalog.compiled import Plan
from transforms.flows.catalog.epochs import Effect
from transforms.flows.engine.context import NOBODY, Data, Run
from transforms.flows.engine.entry.dates import arm_all, arm_changed, arm_members, carry, fire
from transforms.flows.engine.entry.decision import drop_held, enter_by, try_enter
from transforms.flows.engine.entry.launches import belongs, launch_id, repeated
from transforms.flows.engine.entry.participants import enter_by_participant
from transforms.flows.engine.flow_state import say_state
from transforms.flows.engine.identity.erase import forget_mark
from transforms.flows.engine.identity.user_commands import apart
from transforms.flows.engine.lifecycle.migrate import migrate
from transforms.flows.engine.lifecycle.pause import pause, resume
from transforms.flows.engine.messages.inbound import claim, said
from transforms.flows.engine.messages.plan import judge
from transforms.flows.engine.messages.statuses import FINAL, cancel_flow, restay
from transforms.flows.engine.profile.apply import apply, only_data
from transforms.flows.engine.profile.audiences import compute, forget_audiences
from transforms.flows.engine.profile.goals import MOST_ENDED, count_goals, forget_ended
from transforms.flows.engine.steps.advance import end, exit_conditions
from transforms.flows.engine.steps.backfill import take_note
from transforms.flows.engine.steps.call_results import over
from transforms.flows.engine.steps.effects import end_promotions
from transforms.flows.engine.steps.waits import look_again, react
from transforms.flows.engine.timers import Owed, next_due
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import (
    AudienceChange,
    CommunicationUpdate,
    Enter,
    Event,
    Inbound,
    Raised,
    Signal,
    Time,
)
from transforms.flows.state.dedupe import remember
from transforms.flows.state.ids import short
from transforms.flows.state.stored import Communication, Identity, Pending
from transforms.flows.state.working import Session

DEEPEST: Final = 16


def fire_until(run: Run, until: int) -> None:
    """Fire everything due at or before an instant, each at its own time (R1).

    Nothing more is due for nobody, of whom the mark was all that was left (R32).
    """
    while run.state.absorbed >= 0 and (due := next_due(run.catalog, run.state, until)) is not None:
        t, what = due
        _fire(run, t, what)
        settle(run, t)


def _fire(run: Run, t: int, what: Owed) -> None:
    match what:
        case str() as audience:
            run.begin(f"{audience}@{t}", t)
            del run.state.checks[audience]
            compute(run, t, [a for a in run.era.audiences if a.name == audience])
        case None:
            run.begin(f"control@{t}", t)
            effects = run.catalog.effects_at(t)
            # Before all else, and once: what is pending has the numbers of the version before.
            for flow in dict.fromkeys(e.flow for e in effects if e.what == "publish"):
                carry(run, run.era.by_number[flow or 0], t)
            for effect in effects:
                absorb(run, effect, t)
            run.state.absorbed = t
        case Session() as session:
            plan = run.plan_of(session)
            run.begin(f"{session.id}@{t}", t)
            run.causes = frozenset([session.id])
            _fire_session(run, plan, session, t)
        case Communication() as sent:
            plan = run.catalog.plans[sent.flow, sent.version]
            run.begin(f"{sent.id}@{t}", t)
            owner = next((s for s in run.state.sessions if s.id == sent.session), None)
            judge(run, plan, plan.nodes[sent.step], sent, owner, t)
        case Pending() as pending:
            view = run.catalog.at(t).by_number[pending.flow]
            start = view.plan.starts[pending.trigger]
            run.begin(f"{view.plan.id}:{start.number}@{t}", t)
            fire(run, view, start, t)
        case Identity():
            forget_mark(run)
        case _:
            assert_never(what)


def _fire_session(run: Run, plan: Plan, session: Session, t: int) -> None:
    end_promotions(run, plan, session, t)
    if session.due is not None and session.due <= t:
        # The exit rules come before the step (section 3): one may become true at this instant.
        if not (plan.exit_conditions and exit_conditions(run, plan, session, t)):
            over(run, plan, session, t)
    elif session.check is not None and session.check <= t:
        look_again(run, plan, session, t)


def absorb(run: Run, effect: Effect, t: int) -> None:
    """Let a control record act on this user, at its effective time."""
    match effect.what:
        case "stop":
            for session in run.in_order():
                if session.flow == effect.flow:
                    end(run, run.plan_of(session), session, t, effect.reason, forced=True)
            cancel_flow(run, effect.flow, effect.reason, t)
            restay(run, t)
            _disarm(run, effect)
        case "migrate":
            migrate(run, effect, t)
        case "pause":
            pause(run, effect.flow, effect.reason, t)
        case "resume":
            resume(run, effect.flow, effect.reason, t)
            _arm(run, effect, t)
        case "drain":
            _disarm(run, effect)
        case "start" | "publish":
            _arm(run, effect, t)
            if effect.what == "start":
                _members(run, effect, t)
        case "space":
            forget_audiences(run, t)
            compute(run, t, run.era.audiences)
            drain_queue(run, t)
        case "other":
            pass
        case _:
            assert_never(effect.what)


def _arm(run: Run, effect: Effect, t: int) -> None:
    view = run.era.by_number[effect.flow or 0]
    if view.status == "running":
        # A date of this very instant is still to fire: the record comes first (R1).
        arm_all(run, view, t - 1)


def _disarm(run: Run, effect: Effect) -> None:
    run.state.pending = [p for p in run.state.pending if p.flow != effect.flow]


def _members(run: Run, effect: Effect, t: int) -> None:
    """Enter who belongs to the predefined audience of a flow at its launch, once (R22)."""
    view = run.era.by_number[effect.flow or 0]
    for start in view.plan.starts:
        if belongs(run, start):
            launch = launch_id(run.space, view.plan.id, t)
            reason = repeated(run, view.plan, launch)
            if reason is None:
                try_enter(run, view, start, launch, {}, t)
            else:
                run.reject(reason, t, view.plan.id)
            return


def handle(run: Run, signal: Signal, own: int, t: int) -> None:
    """Handle a signal whose due things have fired (steps 3 to 7)."""
    run.begin(signal.id, t)  # type: ignore[union-attr]
    unusual = run.state.identity is not None or type(signal) is not Event
    if unusual and apart(run, signal, t):
        return
    _one(run, Raised(signal, 0, applied=False), own, t)
    settle(run, t, moved=not only_data(signal))


def settle(run: Run, t: int, moved: bool = True) -> None:
    """Handle what was raised, then say where the user stands."""
    drain_queue(run, t)
    if moved and run.era.watching:
        _look_around(run, t)
    if len(run.state.ended) > MOST_ENDED:
        forget_ended(run, t)
    if run.view.mismatches:
        run.reject("type_mismatch", t, detail=str(run.view.mismatches))
        run.view.mismatches = 0
    if run.dirty:
        run.dirty = False
        say_state(run, t)


def drain_queue(run: Run, t: int) -> None:
    """Handle raised signals first in, first out, at the same instant (step 7)."""
    while run.queue:
        raised = run.queue.popleft()
        _remember(run, raised.signal, t)
        if raised.depth > DEEPEST:
            _too_deep(run, raised, t)
            continue
        run.depth, run.causes, run.actor = raised.depth, raised.causes, raised.source
        _one(run, raised, t, t)
    run.depth, run.causes, run.actor = 0, NOBODY, ""


def _look_around(run: Run, t: int) -> None:
    """Judge what reads where the user stands, or what was sent, until nothing changes (R12).

    Only audiences and sessions that read such things; an unrelated event must not decide.
    """
    for _ in range(DEEPEST):
        before = len(run.outputs)
        compute(run, t, run.era.other)
        for session in run.in_order():
            plan = run.plan_of(session)
            if plan.watches and session.ended is None:
                end_promotions(run, plan, session, t)
                look_again(run, plan, session, t)
        drain_queue(run, t)
        if len(run.outputs) == before:
            return
    _dead_letter(run, t, "conditions that change each other")


def _remember(run: Run, signal: Signal, t: int) -> None:
    """Remember a raised signal's id, so that its echo from outside changes nothing (R5)."""
    state = run.state
    if type(signal) is not Time:
        known = short(signal.id)
        state.memory, state.dropped = remember(state.memory, known, t, state.clock, state.dropped)


def _dead_letter(run: Run, t: int, detail: str) -> None:
    name, reason = run.other_id(), "cascade_too_deep"
    run.outputs.append(
        out.DeadLetter(id=name, user=run.user, at=t, reason=reason, cause=run.cause, detail=detail)
    )


def _too_deep(run: Run, raised: Raised, t: int) -> None:
    """End the session that raised a signal too deep in a cascade; the signal is dropped."""
    _dead_letter(run, t, str(raised.signal.__struct_config__.tag))
    for session in run.in_order():
        if session.id == raised.source:
            end(run, run.plan_of(session), session, t, "cascade_too_deep", forced=True)


def _one(run: Run, raised: Raised, own: int, t: int) -> None:
    signal = raised.signal
    _listen(run, signal, own)
    changed = raised.changed if raised.applied else apply(run, raised, own, t)
    if raised.applied and type(signal) is CommunicationUpdate:
        run.told = signal.data | {"ended": signal.status in FINAL}
    if run.fresh:
        run.fresh = False
        compute(run, t, run.era.audiences)
    if only_data(signal):
        _load(run, signal, changed or {}, t)
        return
    if changed is None:
        return
    live = run.in_order()
    claimed = None
    if type(signal) is not Event:  # the usual case is asked nothing else
        run.claimer = raised.claimer
        if type(signal) is Inbound:
            claimed = claim(run, signal, live, t)
    stubs = list(run.state.ended)
    for session in live:
        if session.promotions:
            end_promotions(run, run.plan_of(session), session, t)
        if session.ended is not None:
            continue
        causes = raised.causes
        run.causes = causes | {session.id} if causes else frozenset((session.id,))
        plan = run.plan_of(session)
        if _sees(run, session, raised):
            react(run, plan, session, signal, t)
        else:
            look_again(run, plan, session, t)
    run.causes = raised.causes
    if type(signal) is Event:
        if signal.name in run.catalog.goals and (live or stubs):
            count_goals(run, signal, [s for s in (*live, *stubs) if _sees(run, s, raised)], t)
        forget_ended(run, t)
        enter_by(run, signal, changed, t, raised.flow)
        return
    _follow(run, signal, changed, t)
    if type(signal) is Enter and signal.operation is not None:
        enter_by_participant(run, signal, changed, t, raised.flow)
    else:
        enter_by(run, signal, changed, t, raised.flow)
    if type(signal) is Inbound:
        if claimed is not None:
            try_enter(run, *claimed, signal.id, said(signal), t)
        run.claimed, run.message = -1, {}
    run.claimer = ""


def _follow(run: Run, signal: Signal, changed: Data, t: int) -> None:
    """Let dates to come and other audiences follow what has changed."""
    if changed:
        arm_changed(run, changed, t)
    if isinstance(signal, AudienceChange):
        arm_members(run, signal.audience, t)
        name = signal.audience
        compute(run, t, [a for a in run.era.audiences if name in a.reads.audiences])


def _load(run: Run, signal: Signal, changed: Data, t: int) -> None:
    """Take in history: what it raised is history too."""
    _follow(run, signal, changed, t)
    drop_held(run, changed)
    as_history(run)
    take_note(run, t)


def as_history(run: Run, kept: int = 0) -> None:
    """Let what was raised be history too, but for the first that are ``kept`` (R10)."""
    for place, raised in enumerate(list(run.queue)):
        if place < kept:
            run.queue.append(raised)
        elif not isinstance(raised.signal, Time):
            loaded = msgspec.structs.replace(raised.signal, bypass=True)
            run.queue.append(msgspec.structs.replace(raised, signal=loaded))
        run.queue.popleft()


def _sees(run: Run, session: Session, raised: Raised) -> bool:
    """Tell whether a session sees a signal: none that it or its ancestors caused (R11)."""
    if not raised.causes:
        return True
    return session.id not in raised.causes and raised.causes.isdisjoint(
        run.ancestors.get(session.id, frozenset())
    )


def _listen(run: Run, signal: Signal, own: int) -> None:
    view = run.view
    if type(signal) is Event:
        view.event, view.event_name, view.event_time = signal.properties, signal.name, own
        return
    view.event, view.event_name = None, ""
    if type(signal) is CommunicationUpdate:
        view.communication = signal.data | {"status": signal.status}
