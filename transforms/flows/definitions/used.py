"""What steps and triggers refer to, by their tables: expressions, templates, send steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from transforms.flows.definitions import forms
from transforms.flows.definitions.ports import kind_of_step
from transforms.flows.definitions.shapes import Field, Shape, leaves
from transforms.flows.definitions.steps.kinds import Verb
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.expressions.syntax.parse import parse

F = TypeVar("F", bound=forms.Form)


class UsedTemplate(msgspec.Struct, frozen=True, gc=False):
    """A template that a step names at a key, and the names of the data that it is given."""

    key: str
    name: str
    data: tuple[str, ...]


def values_in(shape: Shape, struct: Any) -> Iterator[tuple[Field, Any]]:
    """Return every field of a struct with its value, also those of the structs within."""
    return leaves(shape.fields, shape.values(struct))


def of_form(verb: Verb, form: type[F]) -> Iterator[tuple[Field, F, Any]]:
    """Yield the fields of a step that have a value of a form, with the form and the value."""
    for field, value in values_in(kind_of_step(verb), verb):
        if isinstance(field.form, form):
            yield field, field.form, value


def templates_of(verb: Verb) -> Iterator[UsedTemplate]:
    """Yield the templates that a step names."""
    for field, form, name in of_form(verb, forms.TemplateName):
        data = kind_of_step(verb).values(verb)[form.data] or ()
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
