"""Fires due timers: waits, planned messages, dates, audiences, control records (R1)."""

from __future__ import annotations

from typing import Final, assert_never

from transforms.flows.catalog.epochs import Effect
from transforms.flows.engine.context import Context
from transforms.flows.engine.entry.dates import (
    arm_date_triggers,
    disarm_date_triggers,
    fire_pending,
    rebase_pending,
)
from transforms.flows.engine.entry.triggers import enter_members
from transforms.flows.engine.identity.erase import drop_tombstone
from transforms.flows.engine.lifecycle.goals import count_states, forget_ended
from transforms.flows.engine.lifecycle.migrate import migrate
from transforms.flows.engine.lifecycle.pause import pause, resume, stop
from transforms.flows.engine.messages.sending import send_or_refuse
from transforms.flows.engine.profile.audiences import forget_audiences, recompute
from transforms.flows.engine.signal_order import drain_queue, settle
from transforms.flows.engine.steps.moves import (
    end_promotions,
    exit_conditions,
    note_goals,
    on_time,
    recheck_conditions,
)
from transforms.flows.engine.timers import Due, next_due
from transforms.flows.engine.working import Session
from transforms.flows.state.stored import Communication, Identity, Pending

ON_SESSIONS: Final = frozenset(("stop", "pause", "resume", "migrate", "drain", "goals"))
"""Control records that act on sessions but start none."""


def fire_until(ctx: Context, until: int) -> None:
    """Fire everything that is due at or before an instant, each at its own time (R1).

    Stop when no user is left: an expired tombstone leaves no state (R32).
    """
    while (
        ctx.state.control_applied >= 0
        and (due := next_due(ctx.catalog, ctx.state, until)) is not None
    ):
        t, what = due
        _fire(ctx, t, what)
        settle(ctx)


def _fire(ctx: Context, t: int, what: Due) -> None:
    match what:
        case str() as audience:
            ctx.begin(f"{audience}@{t}", t, "audience", audience, str(t))
            del ctx.state.audience_checks[audience]
            recompute(ctx, [a for a in ctx.epoch.audiences if a.name == audience])
        case None:
            ctx.begin(f"control@{t}", t, "control", str(t))
            _apply_effects(ctx, t)
            ctx.state.control_applied = t
        case Session() as session:
            plan = session.plan
            ctx.begin(f"{session.id}@{t}", t, "session_timer", session.id, str(t))
            ctx.handling.causes = frozenset([session.id])
            _fire_session(ctx, session)
        case Communication() as sent:
            plan = ctx.catalog.plans[sent.flow, sent.version]
            ctx.begin(f"{sent.id}@{t}", t, "message_timer", sent.id, str(t))
            owner = next((s for s in ctx.state.sessions if s.id == sent.session), None)
            send_or_refuse(ctx, plan, plan.steps[sent.step], sent, owner)
        case Pending() as pending:
            view = ctx.catalog.at(t).by_number[pending.flow]
            compiled = view.plan.triggers[pending.trigger]
            origin = ["trigger", view.plan.id, str(compiled.number), str(t)]
            origin += [pending.key] if pending.key else []
            ctx.begin(f"{view.plan.id}:{compiled.number}@{t}", t, *origin)
            fire_pending(ctx, view, compiled, pending, t)
        case Identity():
            ctx.begin(f"tombstone@{t}", t, "tombstone", str(t))
            drop_tombstone(ctx)
        case _:
            assert_never(what)


def _fire_session(ctx: Context, session: Session) -> None:
    if session.ended is not None:
        session.recheck_at = None
        count_states(ctx, [session])
        return
    end_promotions(ctx, session)
    if session.due is not None and session.due <= ctx.now:
        # Exit rules before the step: one may become true at this very instant.
        if not (session.plan.exit_conditions and exit_conditions(ctx, session)):
            on_time(ctx, session)
    elif session.recheck_at is not None and session.recheck_at <= ctx.now:
        recheck_conditions(ctx, session)


def catch_up(
    ctx: Context, since: int, until: int, kind: str, origin: str, *, all_effects: bool = False
) -> int:
    """Apply to sessions from elsewhere the control records that took effect meanwhile (R8, R29).

    Return the instant of the last one, or ``since``.

    The user has had these records, so only what acts on running sessions applies, unless
    ``all_effects``. Signals that one record raises are handled before the next record (R1).
    """
    while (effect := ctx.catalog.next_effect(since, until)) is not None:
        since = effect.at
        ctx.begin(f"control@{since}", since, kind, origin, str(since))
        _apply_effects(ctx, since, sessions_only=not all_effects)
        drain_queue(ctx)
    return since


def _apply_effects(ctx: Context, t: int, *, sessions_only: bool = False) -> None:
    effects = ctx.catalog.effects_at(t)
    # First of all, and once: pending triggers have the numbers of the previous version.
    for flow in dict.fromkeys(e.flow for e in effects if e.what == "publish"):
        rebase_pending(ctx, ctx.epoch.by_number[flow or 0])
    for effect in effects:
        if not sessions_only or effect.what in ON_SESSIONS:
            _apply_effect(ctx, effect)


def _apply_effect(ctx: Context, effect: Effect) -> None:
    """Apply a control record to this user, at its effective time."""
    match effect.what:
        case "stop":
            stop(ctx, effect.flow, effect.reason)
            disarm_date_triggers(ctx, ctx.epoch.by_number[effect.flow or 0])
        case "migrate":
            migrate(ctx, effect)
        case "pause":
            pause(ctx, effect.flow, effect.reason)
        case "resume":
            resume(ctx, effect.flow, effect.reason)
            _arm(ctx, effect)
        case "drain":
            disarm_date_triggers(ctx, ctx.epoch.by_number[effect.flow or 0])
        case "start" | "publish":
            _arm(ctx, effect)
            if effect.what == "start":
                enter_members(ctx, ctx.epoch.by_number[effect.flow or 0])
        case "space":
            forget_audiences(ctx)
            recompute(ctx, ctx.epoch.audiences)
            drain_queue(ctx)
        case "goals":
            # Whether a new goal counts must not depend on whether an event came before it.
            forget_ended(ctx, ctx.catalog.at(ctx.now - 1))
            note_goals(ctx, effect.flow)
        case "other":
            pass
        case _:
            assert_never(effect.what)


def _arm(ctx: Context, effect: Effect) -> None:
    view = ctx.epoch.by_number[effect.flow or 0]
    if view.status == "running":
        # A date at this very instant still fires, because control records come first (R1).
        arm_date_triggers(ctx, view, ctx.now - 1)
