"""Steps that wait: for a time, a moment, a window, or the first of several cases."""

from __future__ import annotations

from typing import Literal

from transforms.flows.clock.delays import Delay
from transforms.flows.clock.schedules import Moment
from transforms.flows.clock.windows import Window
from transforms.flows.definitions.values import EventMatch, Value
from transforms.flows.expressions.syntax.ast import Expr


class Wait(Value, frozen=True, gc=False, tag="wait"):
    """Wait for a duration (L3)."""

    delay: Delay


class WaitVisit(Value, frozen=True, gc=False, tag="wait_visit"):
    """Wait while the user's visit lasts; if it ends before the time is over, go another way (J11)."""

    delay: Delay
    gone: str | None = None


class WaitUntil(Value, frozen=True, gc=False, tag="wait_until"):
    """Wait until a moment; a past one goes on or exits, a missing one has a branch of its own."""

    moment: Moment
    past: Literal["go", "exit"] = "go"
    missing: str | None = None


class WaitWindow(Value, frozen=True, gc=False, tag="wait_window"):
    """Wait until the window is open; inside it, pass at once."""

    window: Window


class CaseEvent(Value, frozen=True, gc=False, tag="case_event"):
    """The event happened after the wait began."""

    match: EventMatch
    then: str | None = None


class CaseStatus(Value, frozen=True, gc=False, tag="case_status"):
    """The communication of a send step reached a status, with results that fit (C5)."""

    status: str
    step: str
    then: str | None = None
    where: Expr | None = None


class CaseWhen(Value, frozen=True, gc=False, tag="case_when"):
    """The condition is true, or becomes true."""

    when: Expr
    then: str | None = None


class CaseAudience(Value, frozen=True, gc=False, tag="case_audience"):
    """The user entered or left an audience after the wait began."""

    audience: str
    when: Literal["entered", "left"] = "entered"
    then: str | None = None


class CaseInbound(Value, frozen=True, gc=False, tag="case_inbound"):
    """The user sent a message with one of these keywords; without any, with whatever words (I6)."""

    keywords: tuple[str, ...] = ()
    number: str | None = None
    channel: str | None = None
    where: Expr | None = None
    then: str | None = None


class CaseCall(Value, frozen=True, gc=False, tag="case_call"):
    """The user called."""

    number: str | None = None
    channel: str | None = None
    where: Expr | None = None
    then: str | None = None


Case = CaseEvent | CaseStatus | CaseWhen | CaseAudience | CaseInbound | CaseCall


class WaitFor(Value, frozen=True, gc=False, tag="wait_for"):
    """Wait for the first of several cases, with a time-out of its own branch.

    ``restart``: an event, or what a user sends, of the case without ``then`` starts the
    time-out again.
    ``rank``: wait to the end and take the first listed of those that happened.
    """

    cases: tuple[Case, ...]
    timeout: Delay | None = None
    timeout_then: str | None = None
    rank: bool = False
    restart: bool = False


Waits = Wait | WaitVisit | WaitUntil | WaitWindow | WaitFor
