"""Inbound messages and calls: each is claimed once, by a waiting session or by an entry (R13).

The order is: waits for its exact keyword, entries by that keyword, waits for any keyword, entries
by any keyword. Keywords are trimmed and compared without case.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from transforms.flows.catalog.compiled import CompiledTrigger, InboundMatcher, Plan
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.definitions.steps.waits import CaseStatus, WaitFor
from transforms.flows.definitions.values import keyword
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.limits import MESSAGE_BOUND
from transforms.flows.engine.limits import fits as has_room
from transforms.flows.engine.messages.delivery_reports import fits
from transforms.flows.engine.messages.statuses import apply_status
from transforms.flows.engine.working import Session
from transforms.flows.expressions.view import View
from transforms.flows.protocol.signals import CommunicationUpdate, Inbound, Signal
from transforms.flows.state.codec import encoded_size

ANY: Final = 1
EXACT: Final = 2
AN_ENTRY: Final = "entry"
"""The owner of a message that an entry claims."""

REPLY: Final = -1
"""The index of a claim by a wait for the status ``replied``, which is raised afterwards."""

_NUMBER: Final = re.compile(r"[-+]?[0-9]{1,15}(?:\.[0-9]{1,6}|,[0-9]{1,2})?")


def number_in(text: str) -> int | float | None:
    """Parse a text that is only a number; a comma before one or two digits is a decimal point."""
    if _NUMBER.fullmatch(text.strip()) is None:
        return None
    plain = text.strip().replace(",", ".")
    return float(plain) if "." in plain else int(plain)


def message_facts(signal: Inbound) -> Data:
    """Return what expressions read of a message or call; it is also the data of an entry by it."""
    found: Data = {
        "text": signal.text.strip(),
        "number": signal.number,
        "channel": signal.channel,
        "call": signal.call,
    }
    if signal.communication is not None:
        found["communication"] = signal.communication
    amount = number_in(signal.text)
    return found if amount is None else found | {"as_number": amount}


def mark_replied(ctx: Context, signal: Inbound) -> None:
    """Set the status ``replied`` of the communication that a message answers, and raise it."""
    if signal.communication is None:
        return
    data: Data = {"reply": signal.text} if signal.text else {}
    change = CommunicationUpdate(
        id=ctx.next_output_id(),
        user=ctx.user,
        time=ctx.now,
        communication=signal.communication,
        status="replied",
        data=data,
    )
    if not apply_status(ctx, change):
        return
    if ctx.epoch.by_communication:
        known = ctx.handling.status_facts
        data = {name: value for name, value in known.items() if name != "ended"}
        change = msgspec.structs.replace(change, data=data)
    ctx.enqueue(change)


def claim_message(
    ctx: Context, signal: Inbound, live: list[Session]
) -> tuple[FlowView, CompiledTrigger] | None:
    """Let one session or entry claim the message (R13); return the entry, if it is one.

    A session is noted in ``ctx.handling``. The status ``replied`` that the message raised ends
    only a wait of its owner.
    """
    entry = _claim(ctx, signal, live)
    owner = AN_ENTRY if entry is not None else ctx.handling.inbound_owner
    if owner and signal.communication is not None:
        for raised in ctx.queue:
            if _is_reply(raised.signal, signal.communication):
                raised.inbound_owner = owner
    return entry


def _is_reply(change: Signal, communication: str) -> bool:
    return (
        isinstance(change, CommunicationUpdate)
        and change.status == "replied"
        and change.communication == communication
    )


def _claim(
    ctx: Context, signal: Inbound, live: list[Session]
) -> tuple[FlowView, CompiledTrigger] | None:
    """Find the session or entry that claims the message.

    Of sessions that match equally well, the one whose message this one answers is first.
    """
    message, word, answered = message_facts(signal), keyword(signal.text), signal.communication
    if answered is not None:
        live = sorted(live, key=lambda session: answered not in session.sent.values())
    for strength in (EXACT, ANY):
        for session in live:
            plan = session.plan
            index = _waits(ctx, session, signal, message, word, strength)
            if index is not None:
                ctx.handling.inbound_owner, ctx.handling.inbound_case = session.id, index
                session.message = _kept(ctx, plan, message)
                ctx.invalidate_view()
                return None
        entry = _enters(ctx, signal, message, word, strength)
        if entry is not None:
            ctx.handling.inbound_message = _kept(ctx, entry[0].plan, message)
            return entry
    if answered is None:
        ctx.emit_rejection("no_claim", detail=f"{signal.channel} {signal.number}")
    return None


def _waits(
    ctx: Context,
    session: Session,
    signal: Inbound,
    message: Data,
    word: str,
    strength: int,
) -> int | None:
    """Return the first case of a session's wait that matches the message with this strength.

    A silent session claims nothing, nor does a halted session whose wait is decided.
    """
    node = session.plan.steps[session.step]
    if session.ended is not None or session.silent or not isinstance(node.verb, WaitFor):
        return None
    if session.halt is not None and session.halt.target is not None:
        return None
    for index, matcher in enumerate(node.inbound_matchers):
        if matcher is None or _strength(matcher, signal, word) != strength:
            continue
        if matcher.where is None or _holds(matcher, ctx.view_of(session), message):
            return index
    answered = signal.communication if strength == ANY else None
    return REPLY if answered and _replied(ctx, session, answered) else None


def _replied(ctx: Context, session: Session, communication: str) -> bool:
    """Return True if a session waits for a reply to this message, with matching data."""
    node = session.node
    verb = node.verb
    return isinstance(verb, WaitFor) and any(
        isinstance(case, CaseStatus)
        and case.status == "replied"
        and session.sent.get(session.plan.step_numbers[case.step]) == communication
        and fits(ctx, session, index, case.step)
        for index, case in enumerate(verb.cases)
    )


def _enters(
    ctx: Context, signal: Inbound, message: Data, word: str, strength: int
) -> tuple[FlowView, CompiledTrigger] | None:
    """Return the first trigger of a running flow that matches the message with this strength."""
    for view in ctx.epoch.by_inbound:
        for start in view.plan.triggers if view.status == "running" else ():
            matcher = start.inbound
            if matcher is None or _strength(matcher, signal, word) != strength:
                continue
            if matcher.where is None or _holds(matcher, ctx.view_for(view.plan), message):
                return view, start
    return None


def _strength(matcher: InboundMatcher, signal: Inbound, word: str) -> int:
    """Return how well a message matches: EXACT, ANY or 0 for not at all."""
    if matcher.number is not None and matcher.number != signal.number:
        return 0
    if matcher.channel is not None and matcher.channel != signal.channel:
        return 0
    if matcher.call is None:
        return ANY
    if matcher.call or signal.call:
        return EXACT if matcher.call and signal.call else 0
    if not matcher.words:
        return ANY
    return EXACT if word in matcher.words else 0


def _holds(matcher: InboundMatcher, view: View, message: Data) -> bool:
    before, view.message = view.message, message
    holds = matcher.where is None or matcher.where(view)
    view.message = before
    return holds


def _kept(ctx: Context, plan: Plan, message: Data) -> Data:
    """Return what a session stores of a message; a text over the limit is omitted."""
    size = encoded_size(message)
    if size <= MESSAGE_BOUND and has_room(ctx.state, size):
        return message
    ctx.emit_rejection("value_too_large", plan.id, "message")
    return {"call": message["call"]}
