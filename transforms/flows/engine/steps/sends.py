"""Steps that send or cancel messages, or show promotions."""

from __future__ import annotations

from typing import Final

from transforms.flows.clock.delays import after
from transforms.flows.definitions.steps.sends import CancelAll, Promote, Send
from transforms.flows.engine.context import Context
from transforms.flows.engine.messages.sending import plan_send, send_or_refuse
from transforms.flows.engine.messages.statuses import cancel_all
from transforms.flows.engine.steps.effects import withheld
from transforms.flows.engine.steps.logic import WAITS, Exit, StepLogic
from transforms.flows.engine.working import Session
from transforms.flows.state.stored import Communication, Promotion


class SendLogic(StepLogic):
    """Create a communication; continue, or take the branch for the reason if it was refused.

    With ``hold`` the session waits while the communication is planned. Its timer then decides the
    communication, before the timer of the communication would at the same instant.
    """

    def begin(self, ctx: Context, session: Session) -> int:
        node = session.node
        verb = node.verb
        assert isinstance(verb, Send)
        refused = plan_send(ctx, session)
        if refused is not None:
            return node.ports.get(refused, node.then)
        if verb.hold and (sent := _planned(ctx, session)) is not None:
            session.due = sent.due
            return WAITS
        return node.then

    def on_time(self, ctx: Context, session: Session) -> Exit | None:
        if session.halt is not None:  # the message waits for the resume, and so does the session
            session.due, session.halt.left = None, 0
            return None
        node, sent = session.node, _planned(ctx, session)
        if sent is None:  # it was canceled, or a report ended it
            return Exit(node.then, "not_sent")
        plan = ctx.catalog.plans[sent.flow, sent.version]
        refused = send_or_refuse(ctx, plan, plan.steps[sent.step], sent, session)
        if refused is not None:
            return Exit(node.ports.get(refused, node.then), refused)
        if sent.status == "planned":
            session.due = sent.due
            return None
        return Exit(node.then)

    def on_migrated(self, ctx: Context, session: Session) -> Exit | None:
        verb = session.node.verb
        return None if isinstance(verb, Send) and verb.hold else Exit(session.node.then)


def _planned(ctx: Context, session: Session) -> Communication | None:
    """Return the communication that the session's send step planned, if it is still planned."""
    name = session.sent.get(session.step)
    known = (c for c in ctx.state.communications if c.id == name and c.status == "planned")
    return next(known, None)


class CancelAllLogic(StepLogic):
    """Cancel this flow's messages to the user that are planned or not yet delivered (C16)."""

    def begin(self, ctx: Context, session: Session) -> int:
        if not withheld(ctx, session):
            cancel_all(ctx, session)
        return session.node.then


class PromoteLogic(StepLogic):
    """Show a promotion in its slot from now on (J6)."""

    def begin(self, ctx: Context, session: Session) -> int:
        node = session.node
        verb = node.verb
        assert isinstance(verb, Promote)
        if withheld(ctx, session):
            return node.then
        view = ctx.view_of(session)
        condition = node.conditions[0]
        if condition is not None and not condition.test(view):
            return node.then
        until = after(verb.lasts, ctx.now, view.zone) if verb.lasts else None
        recheck_at = condition.next_change(view) if condition else None
        shown = Promotion(node.number, verb.slot, verb.promotion, until, recheck_at)
        others = [p for p in session.promotions if p.slot != verb.slot]
        session.promotions = [*others, shown]
        ctx.flow_state_changed = True
        return node.then


LOGIC: Final[dict[type, StepLogic]] = {
    Send: SendLogic(),
    CancelAll: CancelAllLogic(),
    Promote: PromoteLogic(),
}
