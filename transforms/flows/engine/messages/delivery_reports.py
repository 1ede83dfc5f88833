"""The data that delivery reports add to a message: replies, pressed digits, cost (C5).

Data is limited in size, digits are mapped by the agent's menu, and a cost counts once.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.catalog.compiled import CompiledStep, Plan
from transforms.flows.definitions.channels import choice_of
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import CommunicationUpdate
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.series import LARGEST, SCALE
from transforms.flows.state.stored import Communication

DATA_BOUND: Final = 4 * 1024


def take_report(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    found: Communication,
    change: CommunicationUpdate,
) -> tuple[Data, float | None]:
    """Store the data of a status, up to 4 KB in total.

    Return the stored data, and the increase of the reported cost.
    """
    if not change.data:
        return {}, None
    data = change.data
    if "digits" in data:
        data = data | _read(ctx, node, found, data["digits"])
    before: Data = found.facts.get("data", {})
    joined = before | data
    if encoded_size(joined) > DATA_BOUND:
        ctx.emit_rejection("value_too_large", plan.id, "communication", node.name)
        return {}, None
    found.facts = found.facts | {"data": joined}
    return data, _raised(before.get("cost"), data["cost"]) if "cost" in data else None


def fits(ctx: Context, session: Session, index: int, step: str) -> bool:
    """Return True if a message's reported data matches a case of a wait (C5)."""
    node = session.node
    matcher = node.matchers[index]
    if matcher is None or matcher.where is None:
        return True
    view = ctx.view_of(session)
    view.communication = view.communications.get(step)
    found = matcher.where(view)
    ctx.invalidate_view()
    return found


def _read(ctx: Context, node: CompiledStep, found: Communication, digits: object) -> Data:
    """Map pressed digits by the agent's menu; the digits are kept as text."""
    verb = node.verb
    assert isinstance(verb, Send)
    if isinstance(digits, int) and not isinstance(digits, bool):
        digits = str(digits)
    known = ctx.epoch.channels.get(found.channel)
    choice = choice_of(ctx.epoch.space, verb, found.channel, known, digits)
    return {"digits": digits} if choice is None else {"digits": digits, "choice": choice}


def _raised(before: object, now: object) -> float | None:
    """Return by how much a cost has grown, exact to four decimals; None if it has not."""
    units = _units(now)
    if units is None:
        return None
    more = units - (_units(before) or 0)
    return more / SCALE if more else None


def _units(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not abs(value) <= LARGEST:
        return None
    return round(float(value) * SCALE)
