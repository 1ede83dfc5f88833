"""Steps with branches: by conditions, by keywords of a message, by random assignment."""

from __future__ import annotations

from typing import Final

from transforms.flows.definitions.steps.branches import If, MatchMessage, Split
from transforms.flows.definitions.values import keyword
from transforms.flows.engine.context import Context
from transforms.flows.engine.steps.logic import StepLogic
from transforms.flows.engine.working import Session
from transforms.flows.state.ids import draw


class IfLogic(StepLogic):
    """Take the first case that is true, else the branch ``else``."""

    def begin(self, ctx: Context, session: Session) -> int:
        node, view = session.node, ctx.view_of(session)
        for condition, target in zip(node.conditions, node.targets, strict=True):
            if condition is not None and condition.test(view):
                return target
        return node.ports["else"]


class MatchMessageLogic(StepLogic):
    """Branch by the keyword of the user's last message to this session, exact before any (I7)."""

    def begin(self, ctx: Context, session: Session) -> int:
        message, node = session.message or {}, session.node
        if message:
            word = keyword(message.get("text", ""))
            for index, matcher in enumerate(node.inbound_matchers):
                if matcher is not None and word in matcher.words:
                    return node.targets[index]
            for index, matcher in enumerate(node.inbound_matchers):
                if matcher is not None and not matcher.words:
                    return node.targets[index]
        return node.ports["else"]


class SplitLogic(StepLogic):
    """Assign a branch by hash: the same for a user at every visit, unless it redraws (I11)."""

    def begin(self, ctx: Context, session: Session) -> int:
        node, plan = session.node, session.plan
        verb = node.verb
        assert isinstance(verb, Split)
        parts = [ctx.space, plan.id, node.name, ctx.user]
        if verb.redraw:
            parts += [session.id, str(session.visits[node.number])]
        index = _assigned(verb, draw(*parts))
        if ctx.epoch.winners and not verb.branches[index].holdout:
            index = _winner(verb, ctx.epoch.winners.get((plan.number, node.number)), index)
        branch = verb.branches[index]
        session.variants[node.number] = index
        if branch.holdout:
            session.silent = ctx.flow_state_changed = True
        variant = f"{node.name}={branch.name}"
        ctx.emit_transition("left", session, variant=variant, since=ctx.now)
        return node.targets[index]


def _winner(verb: Split, winner: str | None, assigned: int) -> int:
    """Return the branch that a control record declared the winner, if this version has it (I28)."""
    for index, branch in enumerate(verb.branches):
        if branch.name == winner:
            return index
    return assigned


def _assigned(verb: Split, drawn: int) -> int:
    """Return the index of the branch whose share of 0..9999 contains the hash."""
    for index, branch in enumerate(verb.branches):
        drawn -= branch.tenths * 10
        if drawn < 0:
            return index
    return len(verb.branches) - 1


LOGIC: Final[dict[type, StepLogic]] = {
    If: IfLogic(),
    MatchMessage: MatchMessageLogic(),
    Split: SplitLogic(),
}
