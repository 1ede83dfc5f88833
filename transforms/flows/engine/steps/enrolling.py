"""From one flow to another: both ways are signals, handled at this instant in their order (C18).

So a step that leaves a flow before it enrolls in it again begins there anew, and no session ends
in the middle of its own steps. A silent session does neither (R19).
"""

from __future__ import annotations

from transforms.flows.definitions.steps.flows import Enroll, Leave
from transforms.flows.engine.context import Context
from transforms.flows.engine.messages.template_data import values_of
from transforms.flows.engine.steps.effects import withheld
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import Command, Enter


def enroll(ctx: Context, session: Session, verb: Enroll) -> None:
    """Raise the entry into another flow, with data."""
    node = session.node
    if withheld(ctx, session):
        return
    data = values_of(node.values[0], ctx.view_of(session))
    name = ctx.next_session_output_id(session)
    entry = Enter(id=name, user=ctx.user, time=ctx.now, flow=verb.flow, data=data)
    ctx.enqueue(entry, applied=False, flow=session.plan.id)


def leave_flows(ctx: Context, session: Session, verb: Leave) -> None:
    """Raise the end of the user's other sessions of flows."""
    if withheld(ctx, session):
        return
    for flow in verb.flows:
        name = ctx.next_session_output_id(session)
        order = Command(id=name, user=ctx.user, time=ctx.now, what="stop", flow=flow)
        ctx.enqueue(order, applied=False, flow=session.plan.id)
