"""Outputs in JSON without rows, and the kinds of encoded outputs."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import AnyOutput, Conversion, Emitted, ProfileUpdate
from transforms.sinks.outgoing import KINDS
from transforms.wire.bodies import SAFE, JsonBodies, encode
from transforms.wire.messages import from_message, to_message
from transforms.wire.output_kinds import kind_of

LONG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | LONG | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: LONG,
    str: TEXT,
    bool: st.booleans(),
    float: st.floats(),
    Any: VALUES,
    type(None): st.none(),
}
BODIES = JsonBodies(KINDS)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return random values of a type of a field."""
    if kind in PLAIN:
        return PLAIN[kind]
    parts = get_args(kind)
    match getattr(kind, "__origin__", None):
        case origin if origin is dict:
            return st.dictionaries(TEXT, values(parts[1]), max_size=3)
        case origin if origin is list:
            return st.lists(values(parts[0]), max_size=3)
        case origin if origin is tuple:
            return st.lists(values(parts[0]), max_size=3).map(tuple)
        case _:
            return st.one_of(*map(values, parts))


def random_outputs() -> st.SearchStrategy[AnyOutput]:
    """Return random outputs of all kinds that have a topic of their own."""
    known = [one for one in get_args(AnyOutput) if one.__struct_config__.tag in KINDS]
    assert len(known) == len(KINDS)
    return st.one_of(
        st.builds(one, **{f.name: values(f.type) for f in msgspec.structs.fields(one)})
        for one in known
    )


@given(random_outputs())
def test_a_body_is_that_of_a_message(made: AnyOutput) -> None:
    """An output in JSON has the bytes that it has as a message of a topic."""
    body = BODIES.of(made, encode(made))
    unsafe = [n for n in msgspec.structs.astuple(made) if type(n) is int and abs(n) >= SAFE]

    assert body == (None if unsafe else to_message("shop", made).data)


def test_a_body_is_read_back_as_the_output() -> None:
    """A consumer reads the output from its body."""
    made = ProfileUpdate(id="p", user="u", at=1, set={"z": 1.5, "a": [None]}, tag=("vip",))
    body = BODIES.of(made, encode(made))
    assert body is not None

    assert from_message(body, wire.attributes("profile_update", "json")) == made


@pytest.mark.parametrize(
    "made",
    [
        ProfileUpdate(id="p", user="u", at=2**63),
        Conversion(
            id="c", user="u", at=1, flow="f", version=1, session="s", step="step", goal="won", value=5,
            entered=0, cause="cause", steps=(), variants=(), silent=False,
        ),
        Emitted(id="e", user="u", at=1, name="Seen", properties={}, flow="f", step="s"),
    ],
)  # fmt: skip
def test_what_must_be_checked_has_no_body(made: AnyOutput) -> None:
    """An integer that a schema may not take, one in place of a double, and another kind have no body."""
    assert BODIES.of(made, encode(made)) is None


@given(random_outputs())
def test_the_kind_is_read_from_the_bytes(made: AnyOutput) -> None:
    """The kind of an encoded output is that of its type, without the output being decoded."""
    assert kind_of(outputs.encode(made)) == type(made).__struct_config__.tag


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x81",
        b"\x81\xa4name\xa3Ann",
        b"\xc0" * 9,
        b"\x81\xa2is",
        b"\x81\xa2is\x05",
        b"\x81\xa2is\xd9\x21",
        b"\x81\xa2is\xa4goa",
    ],
)
def test_other_bytes_have_no_kind(encoded: bytes) -> None:
    """Bytes that are no encoded output are refused."""
    with pytest.raises(ValueError, match="no encoded output"):
        kind_of(encoded)
