"""Steps between flows: entering and leaving others, ending one's own (C18).

Entering and leaving are signals, handled at this instant in their order: a step that leaves a
flow before it enrolls in it again starts it anew, and no session ends in the middle of its own
steps. A silent session does neither (R19).
"""

from __future__ import annotations

from typing import Final

from transforms.flows.definitions.steps.flows import End, Enroll, Leave
from transforms.flows.engine.context import Context
from transforms.flows.engine.messages.template_data import values_of
from transforms.flows.engine.steps.effects import withheld
from transforms.flows.engine.steps.logic import StepLogic
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import Command, Enter


class EnrollLogic(StepLogic):
    """Raise the entry into another flow, with data."""

    def begin(self, ctx: Context, session: Session) -> int:
        node = session.node
        verb = node.verb
        assert isinstance(verb, Enroll)
        if withheld(ctx, session):
            return node.then
        data = values_of(node.values[0], ctx.view_of(session))
        name = ctx.next_session_output_id(session)
        entry = Enter(id=name, user=ctx.user, time=ctx.now, flow=verb.flow, data=data)
        ctx.enqueue(entry, applied=False, flow=session.plan.id)
        return node.then


class LeaveLogic(StepLogic):
    """Raise the end of the user's other sessions of flows."""

    def begin(self, ctx: Context, session: Session) -> int:
        node = session.node
        verb = node.verb
        assert isinstance(verb, Leave)
        if withheld(ctx, session):
            return node.then
        for flow in verb.flows:
            name = ctx.next_session_output_id(session)
            order = Command(id=name, user=ctx.user, time=ctx.now, what="stop", flow=flow)
            ctx.enqueue(order, applied=False, flow=session.plan.id)
        return node.then


class EndLogic(StepLogic):
    """End the session with a reason."""

    def begin(self, ctx: Context, session: Session) -> int:
        verb = session.node.verb
        assert isinstance(verb, End)
        return ctx.ends(verb.reason)


LOGIC: Final[dict[type, StepLogic]] = {
    Enroll: EnrollLogic(),
    Leave: LeaveLogic(),
    End: EndLogic(),
}
