"""Steps that choose where a session goes on: by conditions, by keywords, at random."""

from __future__ import annotations

from collections.abc import Iterator

from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import (
    CaseKind,
    Cases,
    Field,
    Flaw,
    Record,
    Shape,
    StepKind,
)
from transforms.flows.definitions.values import NAME, THEN, Value, case_names, keyword
from transforms.flows.expressions.syntax.ast import Expr


class IfCase(Value, frozen=True, gc=False, tag="if_case"):
    """One branch of an ``if``."""

    when: Expr
    then: str | None = None
    name: str | None = None


class If(Value, frozen=True, gc=False, tag="if"):
    """Take the first case that is true, else the other branch (C14, L5)."""

    cases: tuple[IfCase, ...]
    otherwise: str | None = None


class Keywords(Value, frozen=True, gc=False, tag="keywords"):
    """One branch of a ``match_message``: its keywords, or none for any message."""

    keywords: tuple[str, ...] = ()
    then: str | None = None
    name: str | None = None


class MatchMessage(Value, frozen=True, gc=False, tag="match_message"):
    """Branch by the keyword of the user's last message to this session, exact before any (I7)."""

    cases: tuple[Keywords, ...]
    otherwise: str | None = None


class Branch(Value, frozen=True, gc=False, tag="branch"):
    """One branch of a split: its share in tenths of a percent; a holdout gets nothing.

    ``rest`` takes no part in the test, so it cannot win (I28).
    """

    name: str
    tenths: int
    holdout: bool = False
    then: str | None = None
    rest: bool = False

    @property
    def share(self) -> str:
        """The share as it is written: ``50%``, ``0.5%``."""
        whole, tenth = divmod(self.tenths, 10)
        return f"{whole}.{tenth}%" if tenth else f"{whole}%"


class Winning(Value, frozen=True, gc=False, tag="winning"):
    """What decides the best branch of a split (I28): a goal, or ``opened``, ``clicked``, ``replied``.

    The controller judges it over all users, once each branch has had ``minimum`` of them, and
    writes the winner to the control log when it is ``confidence`` percent sure.
    """

    metric: str
    minimum: int
    confidence: int


class Split(Value, frozen=True, gc=False, tag="split"):
    """Assign a branch at random by hash, sticky over re-entries unless ``redraw`` (I11, J10)."""

    branches: tuple[Branch, ...]
    redraw: bool = False
    winner: Winning | None = None


Branches = If | MatchMessage | Split

# --- checks ----------------------------------------------------------------------------------


def _keywords_twice(match: MatchMessage) -> Iterator[Flaw]:
    """Refuse a branch by a keyword that another branch of the step has taken."""
    seen: set[str | None] = set()
    for case in match.cases:
        words: list[str | None] = [*dict.fromkeys(map(keyword, case.keywords))] or [None]
        for word in words:
            if word in seen:
                what = "any message" if word is None else f'keyword "{word}"'
                message = f"two branches match {what}"
                hint = "the first one takes it"
                yield Flaw(("match_message",), "duplicate-keyword", message, hint, at_key=True)
        seen.update(words)


def _winner_is_sure(winner: Winning) -> Iterator[Flaw]:
    if not 50 <= winner.confidence < 100:
        message = f"a winner cannot be {winner.confidence}% sure"
        yield Flaw(("confidence",), "invalid-winner", message, "write for example 95%")


def _shares(split: Split) -> Iterator[Flaw]:
    """Refuse shares that do not add up, and branches that lead nowhere."""
    total = Branch("all", sum(branch.tenths for branch in split.branches))
    if total.tenths != 1000:
        message = f"the branches add up to {total.share}, not to 100%"
        yield Flaw(("split",), "percentages", message)
    for branch in split.branches:
        if branch.then is None and not branch.holdout:
            message = f'branch "{branch.name}" goes nowhere'
            hint = f"add it to then: {{{branch.name}: <step>}}"
            yield Flaw(("split", branch.name), "missing-branch", message, hint, at_key=True)
        if branch.rest and split.winner is None:
            message = f'branch "{branch.name}" is the rest of a test, which needs a winner'
            hint = "add winner: {metric: a goal}"
            yield Flaw(("split", branch.name), "invalid-winner", message, hint)


# --- steps -----------------------------------------------------------------------------------


def _otherwise(text: str) -> Field:
    return Field("else", forms.StepName(falls=True, label="else"), text, "otherwise")


# fmt: off
IF_CASE = CaseKind(
    struct=IfCase,
    fields=(Field("when", forms.Condition(), "The condition.", needed=True, shown="{}"), THEN, NAME),
)

KEYWORD_CASE = CaseKind(
    struct=Keywords,
    fields=(
        Field("inbound", forms.Keywords(), "The keywords.", "keywords", needed=True, shown="{}"),
        THEN,
        NAME,
    ),
)

WINNER = Shape(
    struct=Winning, checks=(_winner_is_sure,),
    fields=(
        Field("metric", forms.Name("a metric"), "The goal or status.", needed=True, shown="{}"),
        Field("minimum", forms.Whole(1, "invalid-winner"), "So many users a branch.", default=100),
        Field("confidence", forms.Percent(), "How sure it has to be.", default=95),
    ),
)

KINDS = (
    StepKind(
        struct=If, box="decide", caption="Decide", goes_on="ports",
        checks=(lambda verb: case_names("if", [case.name for case in verb.cases]),),
        fields=(
            Field("if", Cases((IF_CASE,), "has no case"),
                "Cases in order: `when` a condition, `then` a step.", "cases", needed=True),
            _otherwise("The step for all others; without it the next in the file."),
        ),
        about="Takes the first case that is true, else the other branch.",
        example="who:\n  if:\n    - {when: entry.value >= 100, then: large}\n  else: small\n"
        "large: {send: log, template: note, then: over}\n"
        "small: {send: log, template: note, then: over}\nover: {end: done}",
    ),
    StepKind(
        struct=MatchMessage, box="decide", caption="By the words of the message", goes_on="ports",
        checks=(
            _keywords_twice,
            lambda verb: case_names("match_message", [case.name for case in verb.cases]),
        ),
        fields=(
            Field("match_message", Cases((KEYWORD_CASE,), "has no case"),
                "Cases: `inbound` a keyword, a list of them or `any`, `then` a step.", "cases",
                needed=True),
            _otherwise(
                "The step for all other words, and where there was no message; without it the "
                "next in the file."),
        ),
        about="Branches by the words of the last message of the user that this session claimed, "
        "by its entry or by a wait: an exact keyword before `any`, whatever their order.",
        example="reply:\n  wait_for:\n    - {inbound: any, number: 4711}\nwords:\n"
        "  match_message:\n    - {inbound: [YES, JA], then: good}\n"
        "    - {inbound: any, then: unsure}\n  else: over\n"
        "good: {send: log, template: note, then: over}\nunsure: {wait: 1h, then: over}\n"
        "over: {end: done}",
    ),
    StepKind(
        struct=Split, box="decide", caption="Split", goes_on="ports", checks=(_shares,),
        fields=(
            Field("split", forms.Shares(routes="then"),
                "Branches by name, with percentages that add up to 100: `45%`, `0.5%`. `10% holdout` is "
                "counted, and nothing leaves for it from there on; it needs no step. `60% rest` "
                "takes no part in a test with a `winner`, for example to wait and come back.",
                "branches", needed=True),
            Field("redraw", forms.Flag(), "Assign anew at every visit.",
                shown="assigned anew at each entry"),
            Field("winner", Record(WINNER, "winner"),
                "What decides the best branch: `metric` is a goal of the flow, `opened`, "
                "`clicked` or `replied`; `minimum` users a branch (100), and a `confidence` "
                "(95%). The controller declares the winner with a `winner` record of the control "
                "log, and later arrivals then go there.",
                shown="the best by {} wins"),
            Field("then", forms.Routes(), "The step of each branch, by its name.", "branches"),
        ),
        about="Assigns users to branches at random: a user takes the same branch at every visit "
        "and re-entry.",
        example="test:\n  split: {a: 45%, b: 45%, none: 10% holdout}\n"
        "  then: {a: first, b: second}\nfirst: {send: log, template: note, then: over}\n"
        "second: {send: log, template: note, then: over}\nover: {end: done}",
    ),
)
"""How these steps are written, in the order of the reference."""
# fmt: on
