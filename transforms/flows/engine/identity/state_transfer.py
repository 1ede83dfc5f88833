"""Export of a user's whole state as readable data, and its import without loss."""

from __future__ import annotations

from typing import Final

import msgspec

from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.flow_state import emit_flow_state
from transforms.flows.engine.identity.erase import end_all_sessions
from transforms.flows.engine.identity.handover import LARGEST
from transforms.flows.engine.identity.state_data import from_data, to_data
from transforms.flows.engine.identity.state_replacement import (
    communications_of,
    keep_ids_unique,
    sessions_of,
    skip_long_overdue,
)
from transforms.flows.engine.timers import clamp_due_times
from transforms.flows.engine.working import Session, State, state_row
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Command
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.dedupe import remember, seen
from transforms.flows.state.ids import short
from transforms.flows.state.sent_archive import archived
from transforms.flows.state.stored import Communication, Identity

FORMAT: Final = 1


def export_state(ctx: Context) -> None:
    """Write the whole state, as it is after this command, as an export."""
    numbers = sorted(_flows(ctx.state))
    data = {
        "format": FORMAT,
        "space": ctx.space,
        "user": ctx.user,
        "at": ctx.now,
        "flows": {str(number): ctx.catalog.ids[number] for number in numbers},
        "steps": _steps(ctx, _placed(ctx.state)),
        "state": to_data(ctx.state),
    }
    ctx.outputs.append(
        out.StateExport(id=ctx.next_output_id(), user=ctx.user, at=ctx.now, data=data)
    )


def import_state(ctx: Context, command: Command) -> None:
    """Import an exported state for a new user, or with ``replace`` for any user."""
    if not ctx.is_new_user and command.data.get("replace") is not True:
        ctx.emit_rejection("user_exists")
        return
    given = command.data.get("state")
    data = given if isinstance(given, dict) else {}
    try:
        state = from_data(data.get("state", {}))
    except (ValueError, TypeError, msgspec.ValidationError):
        ctx.emit_rejection("invalid_state")
        return
    if data.get("format") != FORMAT or encoded_size(state_row(state)) > LARGEST:
        ctx.emit_rejection("invalid_state")
    elif _is_from_before_erasure(ctx, data):
        ctx.emit_rejection("erased")
    elif not _belongs(ctx, state, data):
        ctx.emit_rejection("other_log")
    else:
        _replace(ctx, state, command)


def _is_from_before_erasure(ctx: Context, data: Data) -> bool:
    """Return True if the user was erased since the export (R32)."""
    identity, at = ctx.state.identity, data.get("at")
    erased = identity.erased if identity is not None else None
    return erased is not None and not (isinstance(at, int) and at > erased)


def _replace(ctx: Context, state: State, command: Command) -> None:
    now = ctx.now
    before = ctx.state
    sessions, messages = sessions_of(before), communications_of(before)
    end_all_sessions(ctx, "replaced")
    if not ctx.is_new_user:
        keep_ids_unique(state, before, sessions, messages, now)
    if before.transitions or state.transitions:
        state.transitions = max(state.transitions, before.transitions, now - 1)
    if before.identity is not None and before.identity.erased is not None:
        state.identity = state.identity or Identity()
        state.identity.erased = before.identity.erased
    known = short(command.id)
    if not seen(state.seen_ids, known):
        state.seen_ids, state.seen_floor = remember(
            state.seen_ids, known, now, now, state.seen_floor
        )
    state.clock = max(state.clock, now)
    ctx.replace_state(state)
    skip_long_overdue(ctx)
    clamp_due_times(state, state.clock)
    if before.sequence or state.sequence:
        state.sequence = max(state.sequence, before.sequence, now - 1)
        emit_flow_state(ctx)


# --- flows and steps in a state ---------------------------------------------------------------


def _placed(state: State) -> list[Session | Communication]:
    return [*state.sessions, *state.ended, *state.communications, *archived(state.sent_archive)]


def _flows(state: State) -> set[int]:
    found = {part.flow for part in _placed(state)} | {p.flow for p in state.pending}
    return found | set(state.histories) | {flow for flow in state.suppressed if flow >= 0}


def _steps(ctx: Context, parts: list[Session | Communication]) -> dict[str, dict[str, str]]:
    """Return the names of the steps that sessions and messages are at, by flow and version."""
    found: dict[str, dict[str, str]] = {}
    for part in parts:
        plan = ctx.plans[part.flow, part.version]
        known = found.setdefault(f"{plan.id}@{plan.version}", {})
        known[str(part.step)] = plan.steps[part.step].name
    return found


def _belongs(ctx: Context, state: State, data: Data) -> bool:
    """Return True if the state's flows, versions and steps are those of this space."""
    ids, parts = ctx.catalog.ids, _placed(state)
    named = {str(number): ids[number] for number in _flows(state) if 0 <= number < len(ids)}
    known = all(
        (p.flow, p.version) in ctx.plans and p.step in ctx.plans[p.flow, p.version].steps
        for p in parts
    )
    flows = ctx.epoch.by_number
    known = known and all(
        p.flow in flows and 0 <= p.trigger < len(flows[p.flow].plan.triggers) for p in state.pending
    )
    known = known and all(session.flow in state.histories for session in state.sessions)
    known = known and state.converted.keys() <= state.histories.keys()
    return (
        data.get("space") == ctx.space
        and data.get("flows") == named
        and known
        and data.get("steps") == _steps(ctx, parts)
    )
