"""Steps that wait: for a time, a moment, a window, or the first of several cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, get_args

from transforms.flows.clock.delays import Delay
from transforms.flows.clock.schedules import When
from transforms.flows.clock.windows import Window
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import CaseKind, Cases, Field, Flaw, StepKind
from transforms.flows.definitions.values import (
    NAME,
    THEN,
    EventMatch,
    Value,
    case_names,
    event,
    timeout,
    where,
)
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.protocol.signals import AWAITED_STATUSES

Past = Literal["go", "exit"]


class Wait(Value, frozen=True, gc=False, tag="wait"):
    """Wait for a duration (L3)."""

    delay: Delay


class WaitVisit(Value, frozen=True, gc=False, tag="wait_visit"):
    """Wait while the user's visit lasts; if it ends before the time is over, go on at ``gone`` (J11)."""

    delay: Delay
    gone: str | None = None


class WaitUntil(Value, frozen=True, gc=False, tag="wait_until"):
    """Wait until a moment; a past one goes on or exits, a missing one has its own branch.

    ``fixed``: a date that changes during the wait does not move it.
    """

    moment: When
    past: Past = "go"
    missing: str | None = None
    fixed: bool = False


class WaitWindow(Value, frozen=True, gc=False, tag="wait_window"):
    """Wait until the window is open; inside it, pass at once."""

    window: Window


class CaseEvent(Value, frozen=True, gc=False, tag="case_event"):
    """The event happened after the wait began."""

    match: EventMatch
    then: str | None = None
    name: str | None = None


class CaseStatus(Value, frozen=True, gc=False, tag="case_status"):
    """The communication of a send step reached a status, with results that fit (C5)."""

    status: str
    step: str
    then: str | None = None
    where: Expr | None = None
    name: str | None = None


class CaseWhen(Value, frozen=True, gc=False, tag="case_when"):
    """The condition is true, or becomes true."""

    when: Expr
    then: str | None = None
    name: str | None = None


class CaseAudience(Value, frozen=True, gc=False, tag="case_audience"):
    """The user entered or left an audience after the wait began."""

    audience: str
    when: Literal["entered", "left"] = "entered"
    then: str | None = None
    name: str | None = None


class CaseInbound(Value, frozen=True, gc=False, tag="case_inbound"):
    """The user sent a message with one of these keywords; without keywords, any message (I6)."""

    keywords: tuple[str, ...] = ()
    number: str | None = None
    channel: str | None = None
    where: Expr | None = None
    then: str | None = None
    name: str | None = None


class CaseCall(Value, frozen=True, gc=False, tag="case_call"):
    """The user called."""

    number: str | None = None
    channel: str | None = None
    where: Expr | None = None
    then: str | None = None
    name: str | None = None


Case = CaseEvent | CaseStatus | CaseWhen | CaseAudience | CaseInbound | CaseCall


class WaitFor(Value, frozen=True, gc=False, tag="wait_for"):
    """Wait for the first of several cases, with a time-out of its own branch.

    ``restart``: an event, message or call of a case without ``then`` starts the time-out again.
    ``rank``: wait to the end and take the first listed of those that happened.
    """

    cases: tuple[Case, ...]
    timeout: Delay | None = None
    timeout_then: str | None = None
    rank: bool = False
    restart: bool = False


Waits = Wait | WaitVisit | WaitUntil | WaitWindow | WaitFor

# --- cases -----------------------------------------------------------------------------------


# fmt: off
def place_of(takes: Literal["messages", "calls"]) -> tuple[Field, Field]:
    """Return the keys for the number and channel of a message or call."""
    what = takes.removesuffix("s")
    return (
        Field("number", forms.Number(takes=takes), f"The number of the {what}.", shown="to {}"),
        Field("channel", forms.Listed("channel"), f"The channel of the {what}.", shown="by {}"),
    )


def _status(status: str) -> CaseKind:
    return CaseKind(
        struct=CaseStatus, fixed=(("status", status),), level=True,
        fields=(
            Field(status, forms.SendStep(), "The send step.", "step", needed=True,
                shown=f"{{}} {status}"),
            where("A condition on its results."),
            THEN,
            NAME,
        ),
        about="The newest message of a send step has this status, or reaches it: "
        "`{opened: remind}`; with `where` only if its results fit: "
        '`{completed: ring, where: communication.choice == "confirm"}`.',
    )


def _audience(key: str, when: str, about: str, shown: str) -> CaseKind:
    audience = Field(key, forms.Listed("audience"), "The audience.", "audience", True, shown=shown)
    return CaseKind(
        struct=CaseAudience, fixed=(("when", when),), fields=(audience, THEN, NAME), about=about
    )


CASES = (
    CaseKind(
        struct=CaseEvent, repeats=True,
        fields=(event(), THEN, NAME),
        about="An event after the wait began.",
    ),
    CaseKind(
        struct=CaseWhen, level=True,
        fields=(
            Field("when", forms.Condition(watched=True), "The condition.", needed=True, shown="{}"),
            THEN,
            NAME,
        ),
        about="A condition that is true, or becomes true.",
    ),
    _audience("enters", "entered", "The user enters an audience after the wait began. A user who "
        "is in it already is not taken: `when: audience.vip` is true then, too.", "joins {}"),
    _audience("leaves", "left", "The user leaves an audience after the wait began. "
        "`when: not audience.vip` is also true for a user who was not in it.", "leaves {}"),
    CaseKind(
        struct=CaseInbound, repeats=True,
        fields=(
            Field("inbound", forms.Keywords(), "The keywords.", "keywords", True, shown="sends {}"),
            *place_of("messages"),
            where("A condition on the message."),
            THEN,
            NAME,
        ),
        about="The user sends a message with the keyword, one of a list, or with `any` words; the "
        "session reads it as `message.` from then on.",
    ),
    CaseKind(
        struct=CaseCall, repeats=True,
        fields=(
            Field("call", forms.Mark(), "`true`.", "", True, shown="calls"),
            *place_of("calls"),
            where("A condition on the call."),
            THEN,
            NAME,
        ),
        about="The user calls.",
    ),
    *map(_status, AWAITED_STATUSES),
)
"""What a wait may wait for."""
# fmt: on

# --- steps -----------------------------------------------------------------------------------


def _in_visit(texts: Mapping[str, str]) -> bool:
    return forms.IN_VISIT.search(texts.get("wait", "")) is not None


def _stays(wait: WaitFor, case: Case) -> bool:
    """Return whether a case starts the time-out again."""
    return wait.restart and isinstance(case, CaseEvent | CaseInbound | CaseCall)


def _needs_timeout(wait: WaitFor) -> Iterator[Flaw]:
    """Refuse ``rank`` and ``repeat`` without what they apply to."""
    if wait.timeout is None and wait.restart:
        message = '"repeat" needs a timeout to start again'
        yield Flaw(("repeat",), "missing-key", message, at_key=True)
    if wait.timeout is None and wait.rank:
        message = '"rank" needs a timeout, the end of the wait'
        yield Flaw(("rank",), "missing-key", message, at_key=True)
    if wait.restart and not any(_stays(wait, c) and c.then is None for c in wait.cases):
        message = '"repeat" needs an event, a message or a call without "then"'
        yield Flaw(("repeat",), "missing-key", message, at_key=True)


def _fixed_alone(wait: WaitUntil) -> Iterator[Flaw]:
    """Refuse ``fixed`` for a moment that cannot change."""
    if wait.fixed and (wait.moment.kind != "path" or wait.moment.path.startswith("entry.")):
        message = f'"{wait.moment.text}" cannot change during the wait'
        yield Flaw(("fixed",), "no-effect", message, "leave fixed out", at_key=True)


def _until_at_once(wait: WaitUntil, then: str | None) -> Iterable[str | None]:
    """Pass a missing date, and a past one that goes on; a weekday always lies ahead."""
    goes = wait.moment.kind != "weekly" and wait.past == "go"
    return (wait.missing, then) if goes else (wait.missing,)


def _cases_at_once(wait: WaitFor, then: str | None) -> Iterable[str | None]:
    """Take a condition that is true already; a ranked wait takes it only at its end."""
    return () if wait.rank else [c.then for c in wait.cases if isinstance(c, CaseWhen)]


def _names(wait: WaitFor) -> Iterable[Flaw]:
    return case_names("wait_for", [case.name for case in wait.cases])


# fmt: off
KINDS = (
    StepKind(
        struct=Wait, box="wait", caption="Wait", waits=True,
        fields=(
            Field("wait", forms.Delay(), "How long; at most 400 days.", "delay", needed=True,
                shown="{}"),
        ),
        about="Waits for a duration.",
        example="pause: {wait: 2d}",
    ),
    StepKind(
        struct=WaitVisit, chosen=_in_visit, box="wait", caption="Wait in the visit", waits=True,
        at_once=lambda wait, then: (wait.gone,), details=lambda wait: (wait.delay.text,),
        fields=(
            Field("wait", forms.VisitDelay(), "In a visit a fixed length: `20s in visit`.", "delay",
                needed=True, shown="{}"),
            Field("gone", forms.StepName(ends=True, label="gone"),
                "In a visit: the step to go on with if it ends first; without it the session "
                "ends."),
        ),
        about="With `in visit`, while the user's visit lasts: a run of events of the user, each "
        "less than 30 minutes after the one before. If the visit ends before the time is over, or "
        "there is none, the session goes on at `gone`.",
        example="here: {wait: 20s in visit, gone: away}\n"
        "offer: {promote: home, show: chat, then: stay}\nstay: {wait: 1h, then: away}\n"
        "away: {end: left}",
    ),
    StepKind(
        struct=WaitUntil, box="wait", caption="Wait until", waits=True, at_once=_until_at_once,
        checks=(_fixed_alone,),
        fields=(
            Field("wait_until", forms.Moment(), "The moment.", "moment", needed=True, shown="{}"),
            Field("past", forms.Choice(get_args(Past)),
                "What to do if it is past: `go` on (usual), or `exit`.",
                shown="a past date ends the session"),
            Field("missing", forms.StepName(label="no date"),
                "The step to go on with if there is no such date, or a later one; without it the "
                "session ends with the reason `missing_date` or `too_far`."),
            Field("fixed", forms.Flag(), "Keep the first date if it changes during the wait.",
                shown="keeps the first date"),
        ),
        about="Waits for a moment, at most 400 days ahead. If the moment is a date of the user, the "
        "participant or a message, the wait follows it: when the date changes, the time is "
        "computed anew, and a new date that is past or missing is handled as at the beginning.",
        example="ready: {wait_until: user.trial_ends - 3d at 09:00, past: exit, missing: none_known}\n"
        "told: {send: log, template: note}\n"
        "first_end: {wait_until: user.trial_ends, fixed: true, then: over}\n"
        "none_known: {end: no_trial}\nover: {end: told}",
    ),
    StepKind(
        struct=WaitWindow, box="wait", caption="Wait for opening hours", waits=True,
        at_once=lambda wait, then: (then,),
        fields=(
            Field("wait_in", forms.Window(), "The window.", "window", needed=True, shown="{}"),
        ),
        about="Waits until a window is open; inside it, goes on at once.",
        example="office: {wait_in: mon-fri 09:00-18:00}",
    ),
    StepKind(
        struct=WaitFor, box="wait", caption="Wait for what comes first", goes_on="ports",
        waits=True, at_once=_cases_at_once, stays=_stays, checks=(_needs_timeout, _names),
        fields=(
            Field("wait_for", Cases(CASES, "waits for nothing", awaited=True),
                "The cases. A condition that is true already passes at once; an event counts only "
                "after the wait began.", "cases", needed=True),
            Field("repeat", forms.Word("restart"),
                "`restart`: an event, a message or a call whose case has no `then` starts the "
                "time-out again.", "restart", shown="each repeat starts the time anew"),
            Field("rank", forms.Flag(),
                "Wait until the time-out and take the first listed of those that happened.",
                shown="the first listed counts"),
            timeout(
                "`after` a duration, `then` a step. What comes exactly then is too late. Without "
                "a time-out the session ends after 400 days."),
        ),
        about="Waits for the first of several cases, each with its branch. Cases are listed below.",
        example="answer:\n  wait_for:\n    - {event: Order Completed, then: thanks}\n"
        "  timeout: {after: 2d, then: remind}\nremind: {send: log, template: note, then: over}\n"
        "thanks: {send: log, template: note, then: over}\nover: {end: done}",
    ),
)
"""How these steps are written, in the order of the reference."""
# fmt: on
