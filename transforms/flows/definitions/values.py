"""The base of all definitions, and the values that several of them hold."""

from __future__ import annotations

import msgspec

from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Inline, Shape
from transforms.flows.expressions.syntax.ast import Expr

Named = tuple[tuple[str, Expr], ...]
"""Names with the expressions that give their values, in the order written."""


class Value(msgspec.Struct, frozen=True, gc=False, tag_field="is"):
    """Base of every part of a definition: immutable, tagged by its kind."""


class EventMatch(Value, frozen=True, gc=False, tag="match"):
    """An event by name, with a condition on it."""

    event: str
    where: Expr | None = None


MATCH = Shape(
    struct=EventMatch,
    fields=(
        Field("event", forms.EventName(), "The event's name.", needed=True, shown="{}"),
        Field("where", forms.Condition(event=True), "A condition on the event.", shown="where {}"),
    ),
)


def event() -> Field:
    """Return the keys ``event`` and ``where`` of a step, trigger or case: its field ``match``."""
    return Field("event", Inline(MATCH), name="match", needed=True)


def where(text: str, condition: forms.Condition | None = None) -> Field:
    """Return the key ``where``."""
    return Field("where", condition or forms.Condition(), text, shown="where {}")


def keyword(text: str) -> str:
    """Return a text as keywords are compared: trimmed and without case (R13)."""
    return text.strip().casefold()
