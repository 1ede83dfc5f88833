"""The flow state: a row with the user's current step in every flow (L11)."""

from __future__ import annotations

from transforms.flows.engine.context import Context, Data
from transforms.flows.protocol.outputs import FlowState


def emit_flow_state(ctx: Context) -> None:
    """Write the user's step in every flow, and what each slot shows (L11).

    Silent sessions are omitted, so that no reader treats users in a holdout differently (R19).
    """
    state = ctx.state
    state.sequence += 1
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
