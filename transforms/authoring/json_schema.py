"""JSON Schemas of flow and space files, for completion in editors.

They know shapes, not meaning: what a schema lets pass, `towpath check` may still refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from transforms.authoring.json_schema_parts import DIALECT, PARTS, Schema, closed, map_of, ref
from transforms.flows.definitions import forms, space
from transforms.flows.definitions.flow import EXIT_KINDS, FLOW, GOAL_KINDS, SCHEDULE, Steps
from transforms.flows.definitions.shapes import (
    Cases,
    Field,
    Inline,
    Nested,
    Record,
    Records,
    RecordsByName,
    Shape,
    StepKind,
    Variant,
    Variants,
)
from transforms.flows.definitions.steps.branches import IF_CASE, KEYWORD_CASE
from transforms.flows.definitions.steps.kinds import STEP_KINDS
from transforms.flows.definitions.steps.waits import CASES
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS
from transforms.flows.definitions.values import MATCH, REENTER, TRACKED, OrNever

NAMED_PARTS: tuple[tuple[str, tuple[Shape, ...]], ...] = (
    ("schedule", (SCHEDULE,)),
    ("match", (MATCH,)),
    ("trigger", TRIGGER_KINDS),
    ("exit", EXIT_KINDS),
    ("goal", GOAL_KINDS),
    ("if_case", (IF_CASE,)),
    ("keyword_case", (KEYWORD_CASE,)),
    ("case", CASES),
)

SPACE_PARTS: tuple[tuple[str, tuple[Shape, ...]], ...] = (
    ("channel", (space.CHANNEL,)),
    ("agent", (space.AGENT,)),
    ("topic", (space.TOPIC,)),
    ("cap", (space.CAP,)),
    ("number", (space.NUMBER,)),
    ("group", (space.GROUP,)),
    ("campaign", (space.CAMPAIGN,)),
    ("auth", space.AUTHS),
    ("connection", (space.CONNECTION,)),
    ("destination", space.DESTINATIONS),
)
"""Shapes that the schemas refer to by a name."""

ORDER: Schema = {"enum": ["event_time", "arrival"]}

SPACE_VALUES: dict[str, Schema] = {
    "slack": ref("duration"),
    "order": {"anyOf": [ORDER, map_of(ORDER)]},
    "events": map_of(map_of(ref("type"))),
    "traits": map_of(ref("type")),
    "audiences": map_of(ref("audience")),
    "fields": map_of(ref("type")),
    "prices": {"anyOf": [{"type": "number"}, map_of({"type": "number"})]},
    "link": {"type": "integer"},
    "tracks": {"type": "array", "items": {"enum": list(TRACKED)}},
    "menu": map_of(ref("text")),
    "texts": map_of(ref("text")),
    "secret": ref("secret"),
}
"""How values look that only spaces have; the others are texts."""

SECRET: Schema = {
    "description": "A reference to a secret: the environment variable that holds it.",
    "type": "string",
    "pattern": "^env:[A-Za-z_][A-Za-z0-9_]*$",
    "examples": ["env:CRM_TOKEN"],
}

_CITED = re.compile(r"\s*\([A-Z]\d+(-[A-Z]?\d+)?(, [A-Z]\d+(-[A-Z]?\d+)?)*\)")
"""Rules that a docstring cites; they are not for readers of the schema."""


def flow_schema() -> Schema:
    """Return the JSON Schema of a flow's file."""
    parts = {
        **PARTS,
        "reenter": {
            "description": REENTER.about,
            "anyOf": [{"const": "never"}, schema_of_shape(REENTER)],
        },
        **{name: _one_of(shapes) for name, shapes in NAMED_PARTS},
        "step": {"anyOf": [schema_of_step(kind) for kind in STEP_KINDS]},
    }
    return {"$schema": DIALECT, "title": "A flow", **schema_of_shape(FLOW), "$defs": parts}


def space_schema() -> Schema:
    """Return the JSON Schema of a space's file."""
    parts = {
        name: {**_documented(shapes[0].struct), **_one_of(shapes)} for name, shapes in SPACE_PARTS
    }
    parts["number"]["minProperties"] = 1
    parts["audience"] = {**_documented(space.Audience), **ref("expression")}
    head = {"$schema": DIALECT, "title": "A space", **_documented(space.Space)}
    defs = {**PARTS, **parts, "secret": SECRET}
    return {**head, **schema_of_shape(space.SPACE), "$defs": defs}


def _documented(struct: type[Any]) -> Schema:
    """Return the first sentence of a struct's docstring as description."""
    doc = (struct.__doc__ or "").split("\n\n")[0]
    return {"description": " ".join(_CITED.sub("", doc).replace("``", "`").split())}


SCHEMAS = {"flow": flow_schema, "space": space_schema}
"""Every kind of file with its schema."""


def schema_of_step(kind: StepKind) -> Schema:
    """Return the JSON Schema of a step."""
    schema = schema_of_shape(kind)
    if kind.goes_on == "then":
        schema["properties"]["then"] = ref("step_name")
    return schema


def schema_of_shape(shape: Shape) -> Schema:
    """Return the JSON Schema of a map."""
    properties, needed = _keys(shape.fields)
    schema = {**_described(shape), **closed(properties, needed)}
    if isinstance(shape, Variant) and len(shape.leads) > 1:
        schema["anyOf"] = [{"required": [lead]} for lead in shape.leads]
    return schema


def schema_of_value(form: forms.Form) -> Schema:
    """Return the JSON Schema of a value by its form."""
    return forms.entry_for(FORMS, form)(form)


def _keys(fields: Iterable[Field]) -> tuple[Schema, list[str]]:
    """Return the schemas of keys, and which of them have to be there."""
    properties: Schema = {}
    needed = []
    for field in fields:
        if isinstance(field.form, Inline):
            inner, also = _keys(field.form.shape.fields)
            properties |= inner
            needed += also
            continue
        properties[field.key] = schema_of_value(field.form)
        if field.needed:
            needed.append(field.key)
    return properties, needed


def _described(shape: Shape) -> Schema:
    return {"description": shape.about} if shape.about else {}


def _one_of(shapes: tuple[Shape, ...]) -> Schema:
    schemas = [schema_of_shape(shape) for shape in shapes]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _part(*shapes: Shape) -> Schema:
    """Return a reference to shapes that have a name, else their schema."""
    named = (*NAMED_PARTS, *SPACE_PARTS)
    name = next((name for name, known in named if known == shapes), None)
    return _one_of(shapes) if name is None else ref(name)


def _several(item: Schema, least: int = 1) -> Schema:
    return {"type": "array", **({"minItems": least} if least else {}), "items": item}


def _variants(form: Variants) -> Schema:
    items = {"items": _part(*form.kinds)}
    return {"type": "array", **({"minItems": 1} if form.kinds == TRIGGER_KINDS else {}), **items}


def _whole(form: forms.Whole) -> Schema:
    return {"type": "integer", **({} if form.least is None else {"minimum": form.least})}


def _list(form: forms.ListOf) -> Schema:
    return {"type": "array", "items": schema_of_value(form.of)}


FORMS: Mapping[type[forms.Form], Callable[[Any], Schema]] = {
    forms.Text: lambda form: ref("text"),
    forms.Whole: _whole,
    forms.Percent: lambda form: ref("percent"),
    forms.Flag: lambda form: {"type": "boolean"},
    forms.Mark: lambda form: {"const": True},
    forms.Word: lambda form: {"const": form.word},
    forms.Choice: lambda form: {"enum": list(form.options)},
    forms.Delay: lambda form: ref("duration"),
    forms.VisitDelay: lambda form: ref("in_visit"),
    forms.Moment: lambda form: ref("moment"),
    forms.Window: lambda form: ref("window"),
    forms.Instant: lambda form: ref("date"),
    forms.Limit: lambda form: ref("limit"),
    forms.Expression: lambda form: ref("expression"),
    forms.Named: lambda form: map_of(ref("expression")),
    forms.StepName: lambda form: ref("step_name"),
    forms.SendStep: lambda form: ref("step_name"),
    forms.ListOf: _list,
    forms.OneOrMore: lambda form: ref("one_or_more"),
    forms.Tracked: lambda form: {"type": "array", "items": {"enum": list(form.options)}},
    forms.Keywords: lambda form: ref("one_or_more"),
    forms.Agents: lambda form: {"anyOf": [ref("text"), {"type": "array", "items": ref("text")}]},
    forms.Headers: lambda form: map_of(ref("text")),
    forms.Stored: lambda form: map_of(ref("text")),
    forms.Shares: lambda form: {**map_of(ref("share")), "minProperties": 1},
    forms.Routes: lambda form: map_of(ref("step_name")),
    Record: lambda form: _part(form.shape),
    OrNever: lambda form: ref("reenter"),
    Nested: lambda form: closed(*_keys(form.fields)),
    Records: lambda form: _several(_part(form.shape), form.least),
    RecordsByName: lambda form: map_of(_part(*form.kinds)),
    space.OneOf: lambda form: _part(*form.kinds),
    space.SpaceValue: lambda form: SPACE_VALUES.get(form.kind, ref("text")),
    Cases: lambda form: _several(_part(*form.kinds)),
    Variants: _variants,
    Steps: lambda form: map_of(ref("step")),
}
"""How the JSON Schema describes each form."""
