"""Triggers on entries from outside and from other flows."""

from __future__ import annotations

from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.values import Value
from transforms.flows.expressions.syntax.ast import Expr


class OnEnter(Value, frozen=True, gc=False, tag="enter"):
    """Enter by an ``Enter`` signal: the Flow API, a launch, an upload, another flow (I9)."""

    where: Expr | None = None
    reenter: Reenter | None = None


class OnFlow(Value, frozen=True, gc=False, tag="from_flow"):
    """Enter when another flow enrolls the user (C12)."""

    flow: str
    where: Expr | None = None
    reenter: Reenter | None = None


EntryTriggers = OnEnter | OnFlow
