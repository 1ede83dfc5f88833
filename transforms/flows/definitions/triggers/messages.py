"""Triggers on messages and calls."""

from __future__ import annotations

from typing import Literal

from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.values import Value
from transforms.flows.expressions.syntax.ast import Expr


class OnCommunication(Value, frozen=True, gc=False, tag="communication"):
    """Enter when a message of any flow comes to a status, or to a final one (C9, C10)."""

    when: Literal["updated", "ended"]
    where: Expr | None = None
    reenter: Reenter | None = None


class OnInbound(Value, frozen=True, gc=False, tag="inbound"):
    """Enter when the user sends one of these keywords; without any, whatever the words (I5, I6)."""

    keywords: tuple[str, ...] = ()
    number: str | None = None
    channel: str | None = None
    where: Expr | None = None
    reenter: Reenter | None = None


class OnCall(Value, frozen=True, gc=False, tag="call"):
    """Enter when the user calls a number (I8)."""

    number: str
    channel: str | None = None
    where: Expr | None = None
    reenter: Reenter | None = None


class OnIncoming(Value, frozen=True, gc=False, tag="incoming"):
    """Enter by any message or call of the user in a channel, whatever the number (C11)."""

    channel: str
    where: Expr | None = None
    reenter: Reenter | None = None


MessageTriggers = OnCommunication | OnInbound | OnCall | OnIncoming
