"""A flow as the tree of texts that its file holds: every value in its one canonical spelling.

What equals its default is left out, and so is a ``then`` that names the next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from transforms.authoring.format_yaml import Tree
from transforms.flows.definitions import forms
from transforms.flows.definitions.flow import FLOW, Flow, Several, Steps
from transforms.flows.definitions.ports import kind_of_step, written
from transforms.flows.definitions.shapes import (
    Cases,
    Field,
    Inline,
    Nested,
    Record,
    Records,
    RecordsByName,
    Shape,
    Variants,
    defaults_of,
    kind_of,
)
from transforms.flows.definitions.steps.branches import Branch
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.values import Named, OrNever, Reenter, keyword

Fields = dict[str, Tree]


def tree_of(flow: Flow) -> Fields:
    """Return the tree of a flow: keys in the order in which they are read best."""
    return tree_of_shape(FLOW, flow)


def tree_of_shape(shape: Shape, struct: Any) -> Fields:
    """Return the tree of a struct by its shape."""
    return _fields(shape.fields, shape.values(struct), defaults_of(shape.struct))


def _records_by_name(value: Iterable[Any], form: RecordsByName) -> Fields:
    """Return the trees of structs by their names, each by the kind that it has."""
    kinds = {kind.struct: kind for kind in form.kinds}
    return {one.name: tree_of_shape(kinds[type(one)], one) for one in value}


def tree_of_value(form: forms.Form, value: Any) -> Tree:
    """Return the tree of one value by its form."""
    write: Writer = forms.entry_for(WRITERS, form)
    return write(value, form)


def _fields(
    several: Iterable[Field], values: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Fields:
    made: Fields = {}
    for field in several:
        value = values.get(field.attribute)
        match field.form:
            case Inline(shape=shape):
                made |= tree_of_shape(shape, value)
            case Nested(fields=inner):
                nested = _fields(inner, values, defaults)
                if nested:
                    made[field.key] = nested
            case forms.ReasonStep():
                to = dict(value or ()).get(field.key)
                if to is not None:
                    made[field.key] = to
            case form if _written(field, value, defaults):
                made[field.key] = tree_of_value(form, value)
    return made


def _written(field: Field, value: Any, defaults: Mapping[str, Any]) -> bool:
    """Return whether a key is written: if it is needed, or its value is not the default."""
    if value is None:
        return field.needed and not field.attribute
    usual = None if isinstance(field.form, Several) else defaults.get(field.attribute)
    return field.needed or value != usual


# --- forms ---------------------------------------------------------------------------------------

Writer = Callable[[Any, Any], Tree]


def _delay_in_visit(value: Any, form: forms.VisitDelay) -> Tree:
    return f"{value.text} in visit"


def _named(value: Named, form: forms.Named) -> Tree:
    return {name: expr.text for name, expr in value}


def _list(value: Iterable[Any], form: forms.ListOf) -> Tree:
    return [tree_of_value(form.of, item) for item in value]


def _keywords(words: tuple[str, ...], form: forms.Keywords) -> Tree:
    """Write one keyword as it is; the keyword ``any`` in a list, because alone it means any message."""
    if not words:
        return "any"
    return words[0] if len(words) == 1 and keyword(words[0]) != "any" else [*words]


def _agents(value: tuple[tuple[str, str], ...], form: forms.Agents) -> Tree:
    names = [name for _, name in value]
    return names[0] if len(names) == 1 else [*names]


def _shares(branches: tuple[Branch, ...], form: forms.Shares) -> Tree:
    return {
        branch.name: f"{branch.share}{' holdout' * branch.holdout}{' rest' * branch.rest}"
        for branch in branches
    }


def _routes(branches: tuple[Branch, ...], form: forms.Routes) -> Tree:
    return {branch.name: branch.then for branch in branches if branch.then}


def _or_never(value: Reenter, form: OrNever) -> Tree:
    return tree_of_shape(form.shape, value) if value.allowed else "never"


def _cases(value: Iterable[Any], form: Cases) -> Tree:
    return [tree_of_shape(kind_of(form.kinds, case), case) for case in value]


def _variants(value: Iterable[Any], form: Variants) -> Tree:
    return [tree_of_shape(kind_of(form.kinds, item), item) for item in value]


def _records(value: Iterable[Any], form: Records) -> Tree:
    return [tree_of_shape(form.shape, item) for item in value]


def _steps(steps: Sequence[Step], form: Steps) -> Tree:
    branches = {target for step in steps for target in written(step.verb)}
    made: Fields = {}
    for step, after in zip_longest(steps, [step.name for step in steps[1:]]):
        fields = tree_of_shape(kind_of_step(step.verb), step.verb)
        falls = step.then == after and after not in branches
        if step.then is not None and not falls:
            fields["then"] = step.then
        made[step.name] = fields
    return made


WRITERS: Mapping[type[forms.Form], Writer] = {
    forms.Form: lambda value, form: value.text,
    forms.Text: lambda value, form: value,
    forms.Whole: lambda value, form: str(value),
    forms.Percent: lambda value, form: f"{value}%",
    forms.Flag: lambda value, form: "true" if value else "false",
    forms.Mark: lambda value, form: "true",
    forms.Word: lambda value, form: form.word,
    forms.Choice: lambda value, form: value,
    forms.VisitDelay: _delay_in_visit,
    forms.Instant: lambda value, form: value,
    forms.Limit: lambda value, form: f"{value.most} per {value.per.text}",
    forms.Named: _named,
    forms.StepName: lambda value, form: value,
    forms.SendStep: lambda value, form: value,
    forms.ListOf: _list,
    forms.Tracked: lambda value, form: [*value],
    forms.Keywords: _keywords,
    forms.Agents: _agents,
    forms.Headers: lambda value, form: dict(value),
    forms.Stored: lambda value, form: dict(value),
    forms.Shares: _shares,
    forms.Routes: _routes,
    Record: lambda value, form: tree_of_shape(form.shape, value),
    OrNever: _or_never,
    Records: _records,
    RecordsByName: _records_by_name,
    Cases: _cases,
    Variants: _variants,
    Steps: _steps,
}
"""How each form is written; the values of all others hold their own text."""
