"""Random steps made from the example of their kind, with names of another flow and space.

So the simulator and Hypothesis generate steps of a new kind without further code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import yaml

from transforms.authoring.format_yaml import text_of
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Cases, Field, Inline, Nested, StepKind
from transforms.flows.definitions.steps.kinds import STEP_KINDS

Put = Callable[[forms.Form, Any], Any]
"""Returns the replacement of a value of the example, or the value itself."""

Keep = Callable[[], bool]
"""Returns True if an optional key is kept."""


def others(known: Iterable[str]) -> list[StepKind]:
    """Return the kinds of steps that have none of these leading keys."""
    drawn = set(known)
    return [kind for kind in STEP_KINDS if not drawn.intersection(kind.leads)]


def example_of(kind: StepKind, put: Put, keep: Keep) -> dict[str, Any]:
    """Return a step of a kind as its keys and values."""
    steps = yaml.load(kind.example, yaml.BaseLoader).values()
    step = next(step for step in steps if kind.leads[0] in step)
    return _filled(kind.fields, step, put, keep)


def _filled(fields: Iterable[Field], found: dict[str, Any], put: Put, keep: Keep) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in fields:
        if isinstance(field.form, Inline):
            made |= _filled(field.form.shape.fields, found, put, keep)
        elif field.key in found and (field.needed or keep()):
            made[field.key] = _value(field.form, found[field.key], put, keep)
    return made


def _value(form: forms.Form, value: Any, put: Put, keep: Keep) -> Any:
    match form:
        case Nested(fields=inner):
            return _filled(inner, value, put, keep)
        case Cases(kinds=kinds):
            cases = [(next(k for k in kinds if k.leads[0] in case), case) for case in value]
            return [_filled(kind.fields, case, put, keep) for kind, case in cases]
        case _:
            return put(form, value)


def flow_text(tree: Any) -> str:
    """Write a value on one line."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key}: {flow_text(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(flow_text, tree)) + "]"
    return text_of(tree, flow=True)
