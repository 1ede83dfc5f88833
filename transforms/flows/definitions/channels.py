"""Channels: who sends on a channel, and what is tracked of a message."""

from __future__ import annotations

from typing import Any

from transforms.flows.definitions.space import Channel, Space
from transforms.flows.definitions.steps.sends import Send


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
