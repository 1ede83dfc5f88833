"""Steps that send or cancel messages, or show promotions."""

from __future__ import annotations

from typing import Final

from transforms.flows.clock.delays import after
from transforms.flows.definitions.steps.sends import CancelAll, Promote, Send
from transforms.flows.engine.context import Context
from transforms.flows.engine.messages.sending import plan_send
from transforms.flows.engine.messages.statuses import cancel_all
from transforms.flows.engine.steps.effects import withheld
from transforms.flows.engine.steps.logic import StepLogic
from transforms.flows.engine.working import Session
from transforms.flows.state.stored import Promotion


class SendLogic(StepLogic):
    """Create a communication; continue, or take the branch for the reason if it was refused."""

    def begin(self, ctx: Context, session: Session) -> int:
        node = session.node
        refused = plan_send(ctx, session)
        return node.ports.get(refused, node.then) if refused is not None else node.then


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
        recheck_at = condition.next_change(view) if condition and condition.timed else None
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
