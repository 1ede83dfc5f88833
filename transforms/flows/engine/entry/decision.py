"""The entry decision: whether a session starts (R19).

The first check that fails gives the reason code. A refused trigger is not tried again (I16).
"""

from __future__ import annotations

from transforms.flows.catalog.compiled import CompiledTrigger, Plan
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.clock.delays import after, period_start
from transforms.flows.definitions.values import Reenter
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.entry.entry_data import kept_fields, key_of, over_limit
from transforms.flows.engine.entry.groups import memory
from transforms.flows.engine.entry.groups import refusal as by_group
from transforms.flows.engine.goal_states import note_true
from transforms.flows.engine.limits import MOST_ENTRIES, MOST_SESSIONS
from transforms.flows.engine.profile.participants import ensure_participant
from transforms.flows.engine.steps.moves import exit_conditions, proceed
from transforms.flows.engine.working import Session
from transforms.flows.state.ids import hashed, session_id
from transforms.flows.state.stored import History, Visit


def try_enter(
    ctx: Context,
    view: FlowView,
    compiled: CompiledTrigger,
    origin: str,
    data: Data,
    key: str = "",
) -> bool:
    """Start a session if every check passes, in the order of R19; return True if it started."""
    now = ctx.now
    plan = view.plan
    flow = plan.id
    if view.status != "running":
        ctx.emit_rejection(view.refusal, flow)
        return False
    if ctx.state.suppressed and ctx.suppressed(plan.number):
        ctx.emit_rejection("suppressed", flow)
        return False
    found = key_of(ctx, plan, data) if plan.key is None or not key else key
    if found is None:
        ctx.emit_rejection("invalid_key", flow)
        return False
    key, reason = found, _forbidden(ctx, plan, compiled, found, data)
    if reason is not None:
        ctx.emit_rejection(reason, flow, key)
        return False
    history = ctx.state.histories.get(plan.number)
    if history is None:
        history = ctx.state.histories[plan.number] = History()
    history.times += 1
    history.visits = [*_still_needed(ctx, plan, history), Visit(now, None, key)]
    session = Session(
        session_id(ctx.space, flow, ctx.user, key, origin),
        plan.number,
        plan.version,
        key,
        now,
        plan.first,
        now,
    )
    session.pin_to(plan)
    session.silent = ctx.held_out(plan)
    session.entry = kept_fields(ctx, plan, data)
    if ctx.handling.inbound_message:
        session.message = ctx.handling.inbound_message
    ctx.handling.ancestors[session.id] = ctx.handling.causes
    if plan.campaign is not None and not session.silent:
        ensure_participant(ctx, plan, plan.campaign)
    ctx.state.sessions = [*ctx.state.sessions, session]
    ctx.emit_transition(
        "entered",
        session,
        reason=compiled.kind,
    )
    if plan.exit_conditions:
        exit_conditions(ctx, session, start=True)
    if ctx.catalog.state_goals:
        note_true(ctx, session)
    proceed(ctx, session, plan.first)
    return True


def _forbidden(
    ctx: Context, plan: Plan, compiled: CompiledTrigger, key: str, data: Data
) -> str | None:
    state = ctx.state
    if not plan.flow.simultaneous and any(
        s.flow == plan.number and s.key == key for s in state.sessions
    ):
        return "already_in_flow"
    history = state.histories.get(plan.number)
    if history is not None:
        reason = _too_soon(ctx, plan, compiled.reenter, history, key)
        if reason is not None:
            return reason
        if len(_still_needed(ctx, plan, history)) >= MOST_ENTRIES:
            return "too_many_entries"
    reason = by_group(ctx, plan)
    if reason is not None:
        return reason
    if len(state.sessions) >= MOST_SESSIONS:
        return "too_many_sessions"
    return over_limit(ctx, kept_fields(ctx, plan, data)) if data else None


def _too_soon(ctx: Context, plan: Plan, reenter: Reenter, history: History, key: str) -> str | None:
    """Check re-entry, the delay after the last exit and the entry limits (I13-I17, R2).

    Re-entry and delay apply per key, limits per user.
    """
    mine = [visit for visit in history.visits if visit.key == key]
    if mine and not reenter.allowed:
        return "reentry_off"
    zone = ctx.zone_of(plan)
    if reenter.after is not None:
        exits = [v.entered + v.took for v in mine if v.took is not None]
        if exits and ctx.now < after(reenter.after, max(exits), zone):
            return "reentry_delay"
    for limit in reenter.limits:
        since = period_start(limit.per, ctx.now, zone)
        if sum(1 for visit in history.visits if visit.entered > since) >= limit.most:
            return "entry_limit"
    return None


def _still_needed(ctx: Context, plan: Plan, history: History) -> list[Visit]:
    """Return the entries that a limit may still read."""
    if plan.history is None:
        return history.visits
    edge = ctx.now - max(plan.history, memory(ctx, plan))
    return [v for v in history.visits if v.took is None or v.entered + v.took > edge]


def due_id(ctx: Context, view: FlowView, compiled: CompiledTrigger, due: int, key: str = "") -> str:
    """Return the id of a trigger that is due at an instant, for a key if it has one (R30)."""
    parts = (ctx.space, view.plan.id, str(compiled.number), str(due))
    return hashed("due", *parts, key) if key else hashed("due", *parts)
