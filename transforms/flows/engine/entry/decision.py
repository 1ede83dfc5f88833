"""The entry decision: whether a session starts (R19).

The first check that fails gives the reason code. A refused trigger is not tried again (I16).
"""

from __future__ import annotations

from transforms.flows.catalog.compiled import CompiledTrigger, Plan
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.clock.delays import after, period_start
from transforms.flows.definitions.values import Reenter
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.entry.groups import memory
from transforms.flows.engine.entry.groups import refusal as by_group
from transforms.flows.engine.limits import ENTRY_BOUND, MOST_ENTRIES, MOST_SESSIONS, fits
from transforms.flows.engine.profile.participants import ensure_participant
from transforms.flows.engine.steps.moves import exit_conditions, proceed
from transforms.flows.engine.working import Session
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.ids import hashed, key_text, session_id
from transforms.flows.state.stored import History, Visit


def kept_fields(ctx: Context, plan: Plan, data: Data) -> Data:
    """Return the entry fields that the version or a goal of a control record reads (R24, R27)."""
    fields = plan.entry_fields
    if ctx.epoch.goal_sets:
        fields = fields | ctx.goals_of(plan).fields
    return {name: value for name, value in data.items() if name in fields}


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
    found = _key(ctx, plan, data, key)
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
    proceed(ctx, session, plan.first)
    return True


def _key(ctx: Context, plan: Plan, data: Data, given: str) -> str | None:
    """Return the session key (R20), None if it has no value.

    A flow without ``key:`` uses the empty key, whatever key is given.
    """
    if plan.key is None or given:
        return given if plan.key is not None else ""
    scope = ctx.view_for(plan)
    scope.entry = data
    return key_text(plan.key(scope))


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
    return too_large(ctx, plan, data)


def too_large(ctx: Context, plan: Plan, data: Data) -> str | None:
    """Return a reason if the entry data is over the limit of one session or of all."""
    kept = kept_fields(ctx, plan, data) if data else {}
    size = encoded_size(kept) if kept else 0
    return None if size <= ENTRY_BOUND and fits(ctx.state, size) else "value_too_large"


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


def due_id(ctx: Context, view: FlowView, compiled: CompiledTrigger, due: int) -> str:
    """Return the id of a date or schedule that is due at an instant (R30)."""
    return hashed("due", ctx.space, view.plan.id, str(compiled.number), str(due))
