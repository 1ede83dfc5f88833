"""The texts of steps and triggers in pictures, by the tables of their kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from transforms.authoring.format_tree import tree_of_value
from transforms.flows.definitions import forms
from transforms.flows.definitions.ports import Port, kind_of_step, ports_of
from transforms.flows.definitions.shapes import (
    Cases,
    Field,
    Inline,
    Record,
    Shape,
    Variant,
    defaults_of,
    kind_of,
    leaves,
)
from transforms.flows.definitions.steps.branches import Branch
from transforms.flows.definitions.steps.kinds import Step, Verb
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS, Trigger

Box = Literal["wait", "decide", "send", "effect", "end"]


class Summary(msgspec.Struct, frozen=True, gc=False):
    """The box of a step: its kind, its caption, and the lines below."""

    box: Box
    caption: str
    details: tuple[str, ...]


def summary_of(verb: Verb) -> Summary:
    """Return the texts of the box of a step."""
    kind = kind_of_step(verb)
    return Summary(kind.box, _titled(kind, kind.caption, verb), tuple(_details(kind, verb)))


def trigger_texts(trigger: Trigger) -> tuple[str, tuple[str, ...]]:
    """Return the title of a trigger's box, and the lines below."""
    kind = kind_of(TRIGGER_KINDS, trigger)
    title = _titled(kind, kind.title, trigger)
    return title, tuple(line for line in _details(kind, trigger) if line != title)


def ways_of(step: Step) -> Iterator[tuple[str, str | None]]:
    """Yield every arrow from a step: its label and where it leads, None for the end."""
    kind = kind_of_step(step.verb)
    if kind.goes_on == "then":
        yield "", step.then
    texts = _texts(kind, step.verb)
    for port in ports_of(step.verb):
        yield _label(kind, port, texts), port.to


def _label(kind: Variant, port: Port, texts: Mapping[str, str]) -> str:
    if port.of is None:
        return port.form.label.format_map(texts)
    if isinstance(port.of, Branch):
        held = ", holdout" * port.of.holdout + ", rest" * port.of.rest
        return f"{port.of.name} {port.of.share}{held}"
    cases = next(field.form for field in kind.fields if isinstance(field.form, Cases))
    return _case_text(cases, port.of)


def case_texts(verb: Verb) -> list[str]:
    """Return the name of each case of a step, or its condition; empty for a step without cases."""
    kind = kind_of_step(verb)
    field = next((field for field in kind.fields if isinstance(field.form, Cases)), None)
    if field is None:
        return []
    assert isinstance(field.form, Cases)
    return [_case_text(field.form, case) for case in kind.values(verb)[field.attribute]]


def _case_text(cases: Cases, case: Any) -> str:
    return case.name or " ".join(_details(kind_of(cases.kinds, case), case))


def _titled(kind: Variant, title: str | Callable[[Any], str], struct: Any) -> str:
    return title.format_map(_texts(kind, struct)) if isinstance(title, str) else title(struct)


def _texts(shape: Shape, struct: Any) -> dict[str, str]:
    """Return the texts of the values of a struct, by the names of its fields."""
    values = leaves(shape.fields, shape.values(struct))
    return {field.attribute: _text(field.form, value) for field, value in values}


def _text(form: forms.Form, value: Any) -> str:
    """Return the text of a value: as in a file; of a map, the names that it has."""
    if isinstance(form, forms.Keywords):
        return " or ".join(f'"{word}"' for word in value) or "any message"
    if isinstance(form, Record):
        return _text(form.shape.fields[0].form, getattr(value, form.shape.fields[0].attribute))
    tree = tree_of_value(form, value)
    return tree if isinstance(tree, str) else ", ".join(map(str, tree))


def _details(shape: Shape, struct: Any) -> Iterator[str]:
    """Yield the lines that the fields of a struct show."""
    if isinstance(shape, Variant) and shape.details is not None:
        yield from shape.details(struct)
        return
    values, defaults = shape.values(struct), defaults_of(shape.struct)
    for field in shape.fields:
        value = values.get(field.attribute)
        if isinstance(field.form, Inline):
            yield from _details(field.form.shape, value)
        elif field.shown and (field.needed or value not in (None, defaults.get(field.attribute))):
            yield from _lines(field, value)


def _lines(field: Field, value: Any) -> Iterable[str]:
    match field.form:
        case forms.Targets():
            return [field.shown.format(name, expr.text) for name, expr in value]
        case forms.TargetNames():
            return [field.shown.format(name) for name in value]
        case form:
            return [field.shown.format(_text(form, value))]
