"""Whether a message may leave, by which channel, and when: the questions of R14, in their order."""

from __future__ import annotations

from typing import Final

from transforms.flows.catalog.compiled import Plan
from transforms.flows.catalog.epochs import Era
from transforms.flows.clock.elapsing import period_start
from transforms.flows.clock.windows import closing, is_open, opening
from transforms.flows.definitions.verbs import Send
from transforms.flows.engine.context import Run
from transforms.flows.state.stored import Communication

TRIES: Final = 64


def refusal(run: Run, verb: Send, sent: Communication, t: int) -> tuple[str | None, str, str]:
    """Return why a message may not leave, or None, with the channel it takes and the address."""
    if sent.silent:
        return "holdout", verb.channel, ""
    consent = run.state.consent
    era = run.era
    if not allowed(consent, era, verb.channel, verb.topic):
        return "no_consent", verb.channel, ""
    for channel in (verb.channel, *verb.failover):
        address = address_of(run, era, channel)
        if address and allowed(consent, era, channel, verb.topic):
            late = sent.expires is not None and t >= sent.expires
            return ("expired" if late else None), channel, address
    return "no_address", verb.channel, ""


def allowed(consent: dict[str, bool], era: Era, channel: str, topic: str | None) -> bool:
    """Tell whether the user takes messages of a topic on a channel."""
    if not consent.get(channel, True):
        return False
    if topic is None:
        return True
    default = not (topic in era.topics and era.topics[topic].opt_in)
    return consent.get(f"{channel}:{topic}", consent.get(topic, default))


def address_of(run: Run, era: Era, channel: str) -> str:
    """Return the user's address on a channel, empty where there is none."""
    known = era.channels.get(channel)
    if known is None:
        return ""
    if known.address == "user":
        return run.user
    value = run.state.traits.get(known.address)
    return value.strip() if isinstance(value, str) else ""


def opening_of(run: Run, plan: Plan, verb: Send, t: int) -> int | None:
    """Return the next instant at which the window is open and quiet hours are over."""
    quiet, window = run.era.space.quiet_hours, verb.window
    if quiet is None and window is None:
        return t
    where, at = run.zone_of(plan), t
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


def capped(run: Run, plan: Plan, channel: str, topic: str | None, t: int) -> bool:
    """Tell whether a cap over all flows of the user is reached (R2, R14)."""
    where = None
    for cap in run.era.space.caps:
        if cap.channel not in (None, channel) or cap.topic not in (None, topic):
            continue
        where = where or run.zone_of(plan)
        start = period_start(cap.limit.per, t, where)
        count = sum(
            1
            for sent in run.state.sends
            if sent.at > start
            and cap.channel in (None, sent.channel)
            and cap.topic in (None, sent.topic)
        )
        if count >= cap.limit.most:
            return True
    return False


def reachable(run: Run, channel: str, topic: str | None) -> bool:
    """Tell whether the user has an address on a channel, and takes such messages there."""
    known = address_of(run, run.era, channel)
    return bool(known) and allowed(run.state.consent, run.era, channel, topic)
