"""Schemas describe the outputs, and rows lose nothing."""

from __future__ import annotations

import io
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import fastavro
import msgspec
import pyarrow as pa
import pytest

import schemas
from transforms.flows.protocol.outputs import AnyOutput, FlowState, ProfileUpdate, Transition
from transforms.flows.protocol.signals import Event, decode, encode
from transforms.metrics import FlowMetric
from transforms.wire import rows
from transforms.wire.arrow import arrow_schema

METRIC = FlowMetric("day", 0, "f", None, "refusals", "entry_limit", 2.0)
FITS = {
    str: {"string"},
    int: {"long", "time"},
    float: {"double"},
    bool: {"boolean"},
    bytes: {"bytes"},
    dict: {"json"},
    list: {"json"},
    Literal: {"string"},
    tuple: {"strings"},
}

PROFILE = ProfileUpdate(
    id="p1", user="u", at=5, set={"b": 1, "a": {"d": None, "c": [1.5, "é"]}}, tag=("x", "y")
)
STATE = FlowState(
    id="s1",
    user="u",
    at=7,
    sequence=3,
    flows=[{"flow": "f", "since": 4}],
    promotions={"top": {"until": None}},
)


def test_outputs_and_schemas_correspond() -> None:
    """Each output has a schema, and each schema an output."""
    assert set(schemas.OUTPUTS) == {str(kind.__struct_config__.tag) for kind in get_args(AnyOutput)}


@pytest.mark.parametrize("name", [*schemas.OUTPUTS, *schemas.METRICS])
def test_a_schema_has_the_fields_of_its_struct(name: str) -> None:
    """Names, order, types, nullability and defaults are the same in both."""
    hints = get_type_hints(rows.TYPES[name])
    structure = msgspec.structs.fields(rows.TYPES[name])
    expected = [
        (field.name, _base(hints[field.name]), _optional(hints[field.name])) for field in structure
    ]
    found = rows.fields(name)

    assert [(field.name, field.optional) for field in found] == [
        (field, optional) for field, _, optional in expected
    ]
    assert all(f.kind in FITS[base] for f, (_, base, _) in zip(found, expected, strict=True))
    assert _defaults(name) == {
        field.name: _default(field) for field in structure if not field.required
    }


def _optional(hint: Any) -> bool:
    return type(None) in get_args(hint) and get_origin(hint) in (Union, types.UnionType)


def _base(hint: Any) -> Any:
    hint = get_args(hint)[0] if _optional(hint) else hint
    return get_origin(hint) or hint


def _default(field: msgspec.structs.FieldInfo) -> Any:
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return "{}" if value == {} else list(value) if isinstance(value, tuple) else value


def _defaults(name: str) -> dict[str, Any]:
    declared = schemas.load(name)["fields"]
    return {field["name"]: field["default"] for field in declared if "default" in field}


@pytest.mark.parametrize("name", schemas.NAMES)
def test_schemas_are_documented_and_not_recursive(name: str) -> None:
    """Each field has a doc; none refers to a named type, so none can refer to itself."""
    schema = schemas.parsed(name)
    plain = {"null", "string", "long", "double", "boolean", "bytes"}

    assert schema["name"] == f"towpath.{name}"
    assert all(field["doc"].endswith(".") for field in [schema, *schema["fields"]])
    assert all(_names(field["type"]) <= plain for field in schema["fields"])
    assert set(schema["order"]) | {schema["time"]} <= {f["name"] for f in schema["fields"]}


def _names(kind: Any) -> set[str]:
    if isinstance(kind, list):
        return set().union(*map(_names, kind))
    if isinstance(kind, dict):
        return _names(kind["items"]) if kind["type"] == "array" else {kind["type"]}
    return {kind}


def test_an_unknown_schema_is_refused_with_the_known_names() -> None:
    """An unknown name is refused with a list of the known ones."""
    with pytest.raises(KeyError, match="transition"):
        schemas.load("transitions")


def test_maps_are_canonical_text() -> None:
    """The order in which a map was filled does not affect its row (R4)."""
    row = rows.to_row(PROFILE)

    assert row["set"] == '{"a":{"c":[1.5,"é"],"d":null},"b":1}'
    assert row["tag"] == ["x", "y"]
    assert list(row) == [field.name for field in rows.fields("profile_update")]


@pytest.mark.parametrize("output", [PROFILE, STATE, METRIC], ids=rows.name_of)
def test_an_output_survives_avro_and_arrow(output: rows.Record) -> None:
    """An output that is written to Avro or Arrow is read back unchanged."""
    name, row = rows.name_of(output), rows.to_row(output)
    file = io.BytesIO()
    fastavro.writer(file, schemas.load(name), [row])
    file.seek(0)
    table = pa.Table.from_pylist([row], arrow_schema(name))

    assert rows.from_row(name, row) == output
    assert rows.from_row(name, next(iter(fastavro.reader(file)))) == output
    assert rows.from_row(name, table.to_pylist()[0]) == output


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"at": None}, "at is missing"),
        ({"at": 2**63}, "at is not of type time"),
        ({"sequence": True}, "sequence is not of type long"),
        ({"flows": []}, "flows is not of type json"),
        ({"extra": 1}, "unknown field extra"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_a_reason(
    change: dict[str, Any], says: str
) -> None:
    """The reason names the field and never shows its value."""
    row = rows.to_row(STATE)

    assert rows.problem("flow_state", row) is None
    assert rows.problem("flow_state", row | change) == says


def test_a_list_of_texts_accepts_only_texts() -> None:
    """A list with anything else in it does not fit."""
    row = rows.to_row(PROFILE) | {"unset": ["size", 7]}

    assert rows.problem("profile_update", row) == "unset is not of type strings"


def test_optional_fields_may_be_null() -> None:
    """A null is accepted where the schema allows one."""
    moved = Transition(
        id="t", user="u", at=1, flow="f", version=1, session="s", step="a",
        what="reached", key="", visit=1, cause="c",
    )  # fmt: skip

    assert rows.problem("transition", rows.to_row(moved)) is None


def test_signals_survive_encoding() -> None:
    """A signal that is encoded and decoded is unchanged."""
    event = Event(id="e", user="u", time=1, name="Purchase", properties={"amount": 1.5})

    assert decode(encode(event)) == event
