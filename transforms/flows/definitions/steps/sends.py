"""Steps that make messages and promotions, and the one that cancels them."""

from __future__ import annotations

from typing import Literal

from transforms.flows.clock.delays import Delay
from transforms.flows.clock.schedules import Moment
from transforms.flows.clock.windows import Window
from transforms.flows.definitions.values import Named, Value
from transforms.flows.expressions.syntax.ast import Expr


class Send(Value, frozen=True, gc=False, tag="send"):
    """Make a communication, planned for ``at`` or due now, judged when due (R14).

    ``branches`` maps a reason (``no_consent``, ``capped`` …) to a step, taken only
    by a send that is due at once. ``agents`` are the senders by channel (C15). ``track``
    and ``links`` None: as the channel says (I31).
    """

    channel: str
    template: str
    data: Named = ()
    at: Moment | None = None
    topic: str | None = None
    window: Window | None = None
    validity: Delay | None = None
    failover: tuple[str, ...] = ()
    failover_after: Delay | None = None
    keep: bool = False
    branches: tuple[tuple[str, str], ...] = ()
    agents: tuple[tuple[str, str], ...] = ()
    track: tuple[str, ...] | None = None
    links: Literal["short", "whole"] | None = None


class Promote(Value, frozen=True, gc=False, tag="promote"):
    """Show a promotion in a slot while the session is in the flow, until it ends (J6)."""

    slot: str
    promotion: str
    lasts: Delay | None = None
    while_: Expr | None = None


class CancelAll(Value, frozen=True, gc=False, tag="cancel_all"):
    """Cancel what this flow has planned for the user, or sent and not yet delivered (C16)."""


Sends = Send | Promote | CancelAll
