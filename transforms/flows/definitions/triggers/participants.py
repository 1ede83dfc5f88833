"""Triggers on the participants of a campaign."""

from __future__ import annotations

from typing import Literal

from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.values import Value
from transforms.flows.expressions.syntax.ast import Expr


class OnParticipant(Value, frozen=True, gc=False, tag="participant"):
    """Enter when a participant of the campaign is created, or a field of it changes (C7, C8).

    ``always``: created each time it is uploaded (C22).
    """

    when: Literal["created", "updated"]
    field: str | None = None
    always: bool = False
    where: Expr | None = None
    reenter: Reenter | None = None
