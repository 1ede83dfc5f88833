"""Channels: the known kinds, who sends on a channel, and what is tracked of a message.

A space names a channel and says only what differs from its kind; another name is possible with
an address, or with the kind that it is one of.
"""

from __future__ import annotations

from typing import Any, Final

from transforms.flows.definitions.space import Channel, Space
from transforms.flows.definitions.steps.sends import Send

_BOTH: Final = ("opens", "clicks")

KINDS: Final[dict[str, Channel]] = {
    channel.name: channel
    for channel in (
        Channel("email", "email", tracks=_BOTH),
        Channel("sms", "phone", parts="gsm", tracks=("clicks",)),
        Channel("mms", "phone", tracks=("clicks",)),
        Channel("push", "push_token", tracks=_BOTH),
        Channel("in_app", "user", tracks=_BOTH),
        Channel("voice", "phone", tracks=()),
        Channel("whatsapp", "phone", tracks=_BOTH),
        Channel("telegram", "telegram", tracks=_BOTH),
        Channel("viber", "phone", tracks=_BOTH),
        Channel("messenger", "messenger", tracks=_BOTH),
        Channel("line", "line", tracks=_BOTH),
        Channel("web", "user", tracks=_BOTH),
    )
}
"""The kinds by name, with the trait of its address and its other values."""


def agent_of(verb: Send, channel: str, known: Channel | None) -> str | None:
    """Return who sends on a channel: the step's agent there, else the channel's own (C15)."""
    for on, agent in verb.agents:
        if on == channel:
            return agent
    return known.agent if known is not None else None


def tracking_of(verb: Send, known: Channel | None) -> dict[str, Any]:
    """Return what the worker tracks of a message, and how it writes links (I31).

    The step overrides the channel; what the channel cannot report is left out.
    """
    if known is None:
        return {}
    track = known.track if verb.track is None else verb.track
    tracking: dict[str, Any] = {what: True for what in track if what in known.tracks}
    if (verb.links or known.links) == "short":
        tracking["links"] = "short"
    return tracking


def choice_of(
    space: Space, verb: Send, channel: str, known: Channel | None, digits: object
) -> str | None:
    """Return what the digits of a caller mean, by the menu of the agent that called (I32)."""
    name = agent_of(verb, channel, known)
    menu = next((agent.menu for agent in space.agents if agent.name == name), ())
    return dict(menu).get(str(digits))
