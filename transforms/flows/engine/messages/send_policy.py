"""The single checks of a message: consent, address, validity, hours, caps, room (R14).

``sending.send_or_refuse`` calls them in their order and decides.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.catalog.compiled import Plan
from transforms.flows.catalog.epochs import Epoch
from transforms.flows.clock.delays import period_start
from transforms.flows.clock.windows import closing, is_open, opening
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.engine.context import Context
from transforms.flows.engine.limits import fits, full
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.stored import Communication

TRIES: Final = 64


def refusal(ctx: Context, verb: Send, sent: Communication) -> tuple[str | None, str, str]:
    """Return the reason why a message may not be sent, or None, with its channel and address."""
    if sent.silent:
        return "holdout", verb.channel, ""
    consent = ctx.state.consent
    epoch = ctx.epoch
    if not epoch.allows(consent, verb.channel, verb.topic):
        return "no_consent", verb.channel, ""
    for channel in (verb.channel, *verb.failover):
        address = address_of(ctx, epoch, channel)
        if address and epoch.allows(consent, channel, verb.topic):
            return None, channel, address
    return "no_address", verb.channel, ""


def address_of(ctx: Context, epoch: Epoch, channel: str) -> str:
    """Return the user's address on a channel, or an empty string."""
    known = epoch.channels.get(channel)
    if known is None:
        return ""
    if known.address == "user":
        return ctx.user
    value = ctx.state.traits.get(known.address)
    return value.strip() if isinstance(value, str) else ""


def opening_of(ctx: Context, plan: Plan, verb: Send) -> int | None:
    """Return the next instant at which the window is open and quiet hours are over."""
    window = verb.window
    quiet = None if is_urgent(ctx, verb) else ctx.epoch.space.quiet_hours
    if quiet is None and window is None:
        return ctx.now
    where, at = ctx.zone_of(plan), ctx.now
    for _ in range(TRIES):
        before = at
        if window is not None:
            at = opening(window, at, where)
        if quiet is not None and is_open(quiet, at, where):
            ends = closing(quiet, at, where)
            if ends is None:
                return None
            at = ends
        if at == before:
            return at
    return None


def is_urgent(ctx: Context, verb: Send) -> bool:
    """Return True if a message passes quiet hours and caps: by its step or its topic (R14)."""
    if verb.urgent:
        return True
    topics = ctx.epoch.topics
    return verb.topic is not None and verb.topic in topics and topics[verb.topic].urgent


def capped(ctx: Context, plan: Plan, channel: str, verb: Send) -> bool:
    """Return True if a cap on the user's messages of all flows is reached (R2, R14)."""
    where, topic = None, verb.topic
    if is_urgent(ctx, verb):
        return False
    for cap in ctx.epoch.space.caps:
        if cap.channel not in (None, channel) or cap.topic not in (None, topic):
            continue
        where = where or ctx.zone_of(plan)
        start = period_start(cap.limit.per, ctx.now, where)
        count = sum(
            1
            for sent in ctx.state.cap_sends
            if sent.at > start
            and cap.channel in (None, sent.channel)
            and cap.topic in (None, sent.topic)
        )
        if count >= cap.limit.most:
            return True
    return False


def reachable(ctx: Context, channel: str, topic: str | None) -> bool:
    """Return True if the user has an address on a channel and consents to the topic there."""
    known = address_of(ctx, ctx.epoch, channel)
    return bool(known) and ctx.epoch.allows(ctx.state.consent, channel, topic)


def has_room(ctx: Context, sent: Communication) -> bool:
    """Return True if a communication is planned already or fits the limits."""
    if any(c is sent for c in ctx.state.communications):
        return True
    return not full(ctx.state) and fits(ctx.state, encoded_size(sent.data))
