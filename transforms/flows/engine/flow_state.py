"""The flow state: a row with the user's current step in every flow (L11)."""

from __future__ import annotations

from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.working import State
from transforms.flows.protocol.outputs import FlowState


def next_sequence(state: State, now: int) -> int:
    """Return the next number of a user's flow states, which only grows (R30, R31).

    The first is the instant: so a user who comes back after an erasure, whose tombstone has
    expired, uses no number again.
    """
    return state.sequence + 1 if state.sequence else now


def emit_flow_state(ctx: Context) -> None:
    """Write the user's step in every flow, and what each slot shows (L11).

    Silent sessions are omitted, so that no reader treats users in a holdout differently (R19).
    """
    state = ctx.state
    state.sequence = next_sequence(state, ctx.now)
    flows: list[Data] = []
    promotions: dict[str, Data] = {}
    for session in ctx.sessions_in_order():
        if session.silent:
            continue
        plan = session.plan
        flows.append(
            {
                "flow": plan.id,
                "version": plan.version,
                "session": session.id,
                "key": session.key,
                "step": session.node.name,
                "since": session.since,
                "started": session.started,
            }
        )
        for shown in session.promotions:
            promotions.setdefault(
                shown.slot, {"shows": shown.shows, "flow": plan.id, "until": shown.until}
            )
    name = f"{ctx.flow_state_id()}-{state.sequence}"
    ctx.outputs.append(FlowState(name, ctx.user, ctx.now, state.sequence, flows, promotions))
