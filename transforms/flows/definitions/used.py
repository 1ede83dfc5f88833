"""What steps and triggers refer to, by their tables: expressions, templates, send steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from transforms.flows.definitions import forms
from transforms.flows.definitions.ports import kind_of_step
from transforms.flows.definitions.shapes import Field, Shape, leaves
from transforms.flows.definitions.steps.kinds import Verb
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.expressions.syntax.parse import parse


class UsedTemplate(msgspec.Struct, frozen=True, gc=False):
    """A template that a step names at a key, and the names of the data that it is given."""

    key: str
    name: str
    data: tuple[str, ...]


def values_in(shape: Shape, struct: Any) -> Iterator[tuple[Field, Any]]:
    """Return every field of a struct with its value, also those of the structs within."""
    return leaves(shape.fields, shape.values(struct))


def templates_of(verb: Verb) -> Iterator[UsedTemplate]:
    """Yield the templates that a step names."""
    kind = kind_of_step(verb)
    for field, name in values_in(kind, verb):
        if isinstance(field.form, forms.TemplateName):
            data = kind.values(verb)[field.form.data] or ()
            yield UsedTemplate(field.key, name, tuple(key for key, _ in data))


def expressions_of(shape: Shape, struct: Any) -> Iterator[Expr]:
    """Yield every expression of a step or trigger."""
    for field, value in values_in(shape, struct):
        match field.form:
            case forms.Expression():
                yield value
            case forms.Named():
                yield from (expr for _, expr in value)
            case forms.Moment() if value.path:
                yield parse(value.path)
            case _:
                pass


def watched_by(verb: Verb) -> Iterator[Expr]:
    """Yield the conditions of a step that its session reacts to when they become true."""
    for field, value in values_in(kind_of_step(verb), verb):
        if isinstance(field.form, forms.Condition) and field.form.watched:
            yield value


def send_steps_of(verb: Verb) -> Iterator[str]:
    """Yield the send steps that a step names."""
    for field, value in values_in(kind_of_step(verb), verb):
        if isinstance(field.form, forms.SendStep):
            yield value


def reads_visits(verb: Verb) -> bool:
    """Return whether a step waits within a visit (J11)."""
    fields = kind_of_step(verb).fields
    return any(isinstance(field.form, forms.VisitDelay) for field in fields)
