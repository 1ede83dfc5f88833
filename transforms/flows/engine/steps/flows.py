"""Steps that enter or leave other flows, or end the session's own flow (C18).

Entering and leaving raise signals, which are handled at the same instant, in order, after the
steps of this session. So leaving a flow and then enrolling in it starts a new session. A silent
session does neither (R19).
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
    """Raise an entry into another flow, with data."""

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
    """Raise a stop of the user's other sessions in given flows."""

    def begin(self, ctx: Context, session: Session) -> int:
        node = session.node
        verb = node.verb
        assert isinstance(verb, Leave)
        if withheld(ctx, session):
            return node.then
        for flow in verb.flows:
            name = ctx.next_session_output_id(session)
            command = Command(id=name, user=ctx.user, time=ctx.now, what="stop", flow=flow)
            ctx.enqueue(command, applied=False, flow=session.plan.id)
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
