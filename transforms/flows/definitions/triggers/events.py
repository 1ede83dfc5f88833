"""Triggers on events and combinations of them."""

from __future__ import annotations

from typing import Literal

from transforms.flows.clock.delays import Delay
from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.values import EventMatch, Value


class OnEvent(Value, frozen=True, gc=False, tag="event"):
    """Enter on an event (B5)."""

    match: EventMatch
    reenter: Reenter | None = None


class OnCombination(Value, frozen=True, gc=False, tag="combination"):
    """Enter when several events happened within a period (I4).

    ``without``: the first part happened and none of the others followed ``within`` it.
    """

    how: Literal["all", "any", "sequence", "without"]
    parts: tuple[EventMatch, ...]
    within: Delay
    reenter: Reenter | None = None


EventTriggers = OnEvent | OnCombination
