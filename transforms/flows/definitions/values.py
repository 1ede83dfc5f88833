"""The base of all definitions, and the values that several of them hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from transforms.flows.clock.delays import Delay, Period
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Flaw, Inline, Nested, Record, Shape
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.protocol.reason_codes import REASONS

Named = tuple[tuple[str, Expr], ...]
"""Names with the expressions that give their values, in the order written."""


class Value(msgspec.Struct, frozen=True, gc=False, tag_field="is"):
    """Base of every part of a definition: immutable, tagged by its kind."""


class EventMatch(Value, frozen=True, gc=False, tag="match"):
    """An event by name, with a condition on it."""

    event: str
    where: Expr | None = None


# fmt: off
MATCH = Shape(
    struct=EventMatch,
    fields=(
        Field("event", forms.EventName(), "The event's name.", needed=True, shown="{}"),
        Field("where", forms.Condition(event=True), "A condition on the event.", shown="where {}"),
    ),
)
# fmt: on


THEN = Field("then", forms.StepName(falls=True), "The step to go on with.")
"""The key ``then`` of a case."""


def _name_of(what: str) -> Field:
    about = "A name for rows and reports; without one they number it and show its condition."
    return Field("name", forms.Name(what), about)


NAME, EXIT_NAME = _name_of("a case"), _name_of("an exit rule")
"""The key ``name`` of a case, and of an exit rule."""


TAKEN: Final = re.compile(r"(case|exit)_\d+|timeout|gone|missing")
"""What rows call cases and exit rules without names, and other ways out of a wait."""


def case_names(key: str, names: Sequence[str | None]) -> Iterator[Flaw]:
    """Refuse the name of a case or exit rule that another has, or that rows use for something else."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name is None:
            continue
        if name in seen:
            message = f'the name "{name}" is taken'
            yield Flaw((key, index, "name"), "duplicate-name", message, "give each its own")
        elif name in REASONS or TAKEN.fullmatch(name):
            message = f'"{name}" cannot be a name here: rows use it for something else'
            yield Flaw((key, index, "name"), "invalid-name", message)
        seen.add(name)


def event() -> Field:
    """Return the keys ``event`` and ``where`` of a step, trigger or case: its field ``match``."""
    return Field("event", Inline(MATCH), name="match", needed=True)


def where(text: str, condition: forms.Condition | None = None) -> Field:
    """Return the key ``where``."""
    return Field("where", condition or forms.Condition(), text, shown="where {}")


def keyword(text: str) -> str:
    """Return a text as keywords are compared: trimmed and without case (R13)."""
    return text.strip().casefold()


class Limit(Value, frozen=True, gc=False, tag="limit"):
    """At most ``most`` within each ``per`` (I15, R2)."""

    most: int
    per: Period


class Reenter(Value, frozen=True, gc=False, tag="reenter"):
    """Whether and when a user may enter again (I13-I15, I17)."""

    allowed: bool = True
    after: Delay | None = None
    limits: tuple[Limit, ...] = ()


TRACKED = ("opens", "clicks")
"""What can be tracked of a message."""

Links = Literal["short", "whole"]
"""How links are written in messages."""


class OrNever(Record, frozen=True):
    """``never``, or a map."""


# fmt: off
REENTER = Shape(
    struct=Reenter,
    fields=(
        Field("after", forms.Delay(most=None),
            "How long after the last exit (of the same key) the user stays out."),
        Field("limit", forms.ListOf(forms.Limit()),
            "At most so many entries of the user (of all keys) in each period.", "limits"),
    ),
    about="Whether and when a user may enter again.",
)
# fmt: on


def reenter(text: str) -> Field:
    """Return the key ``reenter`` of a flow or a trigger."""
    return Field("reenter", OrNever(REENTER, "reenter"), text)


AGAIN = reenter("In place of the flow's own `reenter`.")
"""The key ``reenter`` of every trigger."""


def timeout(text: str, most: int = forms.MAX_DAYS, *, falls: bool = True) -> Field:
    """Return the key ``timeout`` of a step: fields ``timeout`` and ``timeout_then``."""
    then = forms.StepName(falls=falls, label="after {timeout}")
    inner = (
        Field("after", forms.Delay(most), "How long.", "timeout", needed=True),
        Field("then", then, "The step to go on with.", "timeout_then"),
    )
    return Field("timeout", Nested(inner), text)
