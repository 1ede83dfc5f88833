"""What a step does: one frozen struct a verb, one closed union."""

from __future__ import annotations

from typing import Literal

import msgspec

from transforms.flows.clock.delays import Delay
from transforms.flows.clock.schedules import Moment
from transforms.flows.clock.windows import Window
from transforms.flows.expressions.syntax.ast import Expr

Named = tuple[tuple[str, Expr], ...]
"""Names with the expressions that give their values, in the order written."""


class Value(msgspec.Struct, frozen=True, gc=False, tag_field="is"):
    """Base of every part of a definition: immutable, tagged by its kind."""


class EventMatch(Value, frozen=True, gc=False, tag="match"):
    """An event by name, with a condition on it."""

    event: str
    where: Expr | None = None


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


class IfCase(Value, frozen=True, gc=False, tag="if_case"):
    """One branch of an ``if``."""

    when: Expr
    then: str | None = None


class If(Value, frozen=True, gc=False, tag="if"):
    """Take the first case that is true, else the other branch (C14, L5)."""

    cases: tuple[IfCase, ...]
    otherwise: str | None = None


class Keywords(Value, frozen=True, gc=False, tag="keywords"):
    """One branch of a ``match_message``: its keywords, or none for any words."""

    keywords: tuple[str, ...] = ()
    then: str | None = None


class MatchMessage(Value, frozen=True, gc=False, tag="match_message"):
    """Branch by the words of the user's last message to this session, exact before any (I7)."""

    cases: tuple[Keywords, ...]
    otherwise: str | None = None


class Branch(Value, frozen=True, gc=False, tag="branch"):
    """One branch of a split: whole percent; a holdout is counted and gets nothing.

    ``rest`` takes no part in the test, so it cannot win (I28).
    """

    name: str
    percent: int
    holdout: bool = False
    then: str | None = None
    rest: bool = False


class Winning(Value, frozen=True, gc=False, tag="winning"):
    """What decides the best branch of a split (I28): a goal, or ``opened``, ``clicked``, ``replied``.

    The controller judges it over all users, once each branch has had ``minimum`` of them, and
    writes the winner to the control log when it is ``confidence`` percent sure.
    """

    metric: str
    minimum: int = 100
    confidence: int = 95


class Split(Value, frozen=True, gc=False, tag="split"):
    """Split by hash, sticky over re-entries unless ``redraw`` (I11, J10)."""

    branches: tuple[Branch, ...]
    redraw: bool = False
    winner: Winning | None = None


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


class CallWebhook(Value, frozen=True, gc=False, tag="webhook"):
    """Send a request to a named connection or an https address (J9, B2)."""

    url: str
    method: str = "POST"
    connection: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    template: str | None = None
    data: Named = ()


class CallApi(Value, frozen=True, gc=False, tag="call"):
    """Send a request and wait for its answer, with ways for a failure and for none in time (P24).

    ``store`` maps names to paths in the JSON of the answer: ``session.<step>.<name>``.
    """

    url: str
    method: str = "POST"
    connection: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    template: str | None = None
    data: Named = ()
    store: tuple[tuple[str, str], ...] = ()
    timeout: Delay | None = None
    timeout_then: str | None = None
    error: str | None = None


class RunCode(Value, frozen=True, gc=False, tag="code"):
    """Run a Python function, whose result is ``session.<step>`` (C19, J13)."""

    source: str
    inputs: Named = ()
    error: str | None = None


class ExportFields(Value, frozen=True, gc=False, tag="export"):
    """Export a record of chosen fields to a named destination (L4, L10)."""

    destination: str
    fields: Named = ()


class Update(Value, frozen=True, gc=False, tag="update"):
    """Set, unset, increment and append traits and session variables; add and remove tags (C17).

    Targets are ``user.<trait>``, ``participant.<field>`` or ``session.<variable>``.
    """

    set: Named = ()
    unset: tuple[str, ...] = ()
    increment: Named = ()
    append: Named = ()
    tag: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()


class ChangeAudience(Value, frozen=True, gc=False, tag="change_audience"):
    """Add the user to a static audience, or remove them (J7)."""

    audience: str
    add: bool = True


class EmitEvent(Value, frozen=True, gc=False, tag="emit"):
    """Raise an event of the product's own, seen by all flows."""

    event: str
    properties: Named = ()


class Enroll(Value, frozen=True, gc=False, tag="enroll"):
    """Enter the user into another flow, with data (C18, J8)."""

    flow: str
    data: Named = ()


class Leave(Value, frozen=True, gc=False, tag="leave"):
    """End the user's other sessions of these flows."""

    flows: tuple[str, ...]


class CancelAll(Value, frozen=True, gc=False, tag="cancel_all"):
    """Cancel what this flow has planned for the user, or sent and not yet delivered (C16)."""


class End(Value, frozen=True, gc=False, tag="end"):
    """End the session with a reason (C21)."""

    reason: str = "completed"


Verb = (
    Wait
    | WaitVisit
    | WaitUntil
    | WaitWindow
    | WaitFor
    | If
    | MatchMessage
    | Split
    | Send
    | Promote
    | CallWebhook
    | CallApi
    | RunCode
    | ExportFields
    | Update
    | ChangeAudience
    | EmitEvent
    | Enroll
    | Leave
    | CancelAll
    | End
)


class Step(Value, frozen=True, gc=False, tag="step"):
    """A named step. ``then`` None: the session ends here (C21)."""

    name: str
    verb: Verb
    then: str | None = None
