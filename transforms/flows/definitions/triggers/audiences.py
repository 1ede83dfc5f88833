"""Triggers on audiences, tags and lists of people."""

from __future__ import annotations

from typing import Literal

from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.values import Value

LAUNCHED = ("member", "launch")
"""What triggers say that are a predefined audience: who belongs to it when the flow starts."""


class OnAudience(Value, frozen=True, gc=False, tag="audience"):
    """Enter when an audience is entered or left, or as a member of it at the launch (L9, I2).

    ``member``: also who joins later; ``launch``: nobody later (I21).
    """

    audience: str
    when: Literal["entered", "left", "member", "launch"] = "entered"
    reenter: Reenter | None = None


class OnTag(Value, frozen=True, gc=False, tag="tag"):
    """Enter when a tag is added to the user, or removed, or with it at the launch (I29, I2)."""

    tag: str
    when: Literal["added", "removed", "member", "launch"] = "added"
    reenter: Reenter | None = None


class OnPeople(Value, frozen=True, gc=False, tag="people"):
    """Enter as one of the people of a list whom a launch names (I2)."""

    reenter: Reenter | None = None


AudienceTriggers = OnAudience | OnTag | OnPeople
