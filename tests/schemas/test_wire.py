"""Rows survive both encodings, and hostile bytes are refused with a reason."""

from __future__ import annotations

import json
import random
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from schemas import wire
from schemas.wire import WireError
from transforms.flows.protocol import control_records, signals
from transforms.flows.protocol.outputs import AnyOutput, Emitted, HandoverOut
from transforms.flows.protocol.reason_codes import RECORDS
from transforms.wire import messages
from transforms.wire.raw import Bad
from transforms.wire.rows import canonical, fields, from_row

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LONG = st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | LONG | TEXT | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MAPS = st.dictionaries(TEXT, VALUES, max_size=3)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "long": LONG,
    "time": LONG,
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "bytes": st.binary(max_size=12),
    "strings": st.lists(TEXT, max_size=3),
    "json": MAPS.map(lambda value: canonical(value).decode()),
}
ENCODINGS = get_args(wire.Encoding)


def rows(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Generate rows of a schema, with all values of its types."""
    kinds = {f.name: KINDS[f.kind] for f in fields(name)}
    return st.fixed_dictionaries(
        {f.name: st.none() | kinds[f.name] if f.optional else kinds[f.name] for f in fields(name)}
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(data=st.data())
def test_rows_survive_json_and_avro(encoding: wire.Encoding, data: st.DataObject) -> None:
    """Any row of a schema is unchanged after JSON and after Avro."""
    name = data.draw(st.sampled_from(schemas.NAMES))
    row = data.draw(rows(name))
    body = wire.encode(name, row, encoding)

    assert wire.decode(body, wire.attributes(name, encoding)) == (name, row)


def example(kind: type[Any], draw: random.Random) -> Any:
    """Return an output of a kind, from random bytes of its own schema's types."""
    values = {
        "string": "é1", "long": 3, "time": 1_714_564_800_000, "double": 1.5, "boolean": True,
        "bytes": draw.randbytes(9), "strings": ["a", "b"], "json": '{"k":"v"}',
    }  # fmt: skip
    name = str(kind.__struct_config__.tag)
    row = {f.name: values[f.kind] for f in fields(name)}
    if name == "flow_state":
        row |= {"flows": '[{"flow":"f"}]', "promotions": '{"top":{"until":null}}'}
    if name == "profile_update":
        row["consent"] = '{"email":false}'
    return from_row(name, row)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", get_args(AnyOutput), ids=lambda kind: kind.__name__)
def test_every_output_survives_its_topic(kind: type[Any], encoding: wire.Encoding) -> None:
    """An output read from its topic is the output that was published, with its id (R30)."""
    output = example(kind, random.Random(1))
    sent = messages.to_message("shop", output, encoding)

    assert messages.from_message(sent.data, sent.attributes) == output
    assert (sent.attributes["id"], sent.attributes["space"]) == (output.id, "shop")
    assert sent.ordering_key == output.user
    assert sent == messages.to_message("shop", output, encoding)


def test_json_is_readable() -> None:
    """In JSON, free maps are maps and times are ms: no text contains encoded text."""
    output = Emitted(
        id="e1", user="kim", at=5, name="Won", properties={"b": 1, "a": [2]}, flow="f", step="s"
    )
    sent = messages.to_message("shop", output)

    assert json.loads(sent.data) == {
        "id": "e1", "user": "kim", "at": 5, "name": "Won", "properties": {"a": [2], "b": 1},
        "flow": "f", "step": "s",
    }  # fmt: skip
    assert sent.attributes == {
        "id": "e1", "space": "shop", "schema": wire.schema_id("emitted"), "encoding": "json",
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_outputs_for_other_keys_return_as_signals(encoding: wire.Encoding) -> None:
    """Emitted events and handovers go to the events topic as records of the envelope (R8)."""
    emitted = Emitted(
        id="e1", user="anon:a7", at=5 * 10**11, name="Won", properties={"n": 1}, flow="f", step="s"
    )
    handed = HandoverOut(id="h1", user="anon:a7", at=5 * 10**11, to="kim", state=b"\x01\xff")
    event, handover = (messages.to_event("shop", one, encoding) for one in (emitted, handed))

    assert messages.to_signal(event.data, event.attributes) == signals.Event(
        id="e1", user="anon:a7", time=5 * 10**11, name="Won", properties={"n": 1}
    )
    assert messages.to_signal(handover.data, handover.attributes) == signals.Handover(
        id="h1", user="kim", time=5 * 10**11, source="anon:a7", state=b"\x01\xff"
    )
    assert (event.ordering_key, handover.ordering_key) == ("anon:a7", "kim")


EVENT = {
    "type": "track", "messageId": "m1", "userId": "kim", "timestamp": 1_714_564_800_000,
    "event": "Bought", "properties": '{"n":1}',
}  # fmt: skip
PLAIN = json.dumps(EVENT | {"properties": {"n": 1}}).encode()
SIGNAL = signals.Event(
    id="m1", user="kim", time=1_714_564_800_000, name="Bought", properties={"n": 1}
)


def test_avro_and_json_records_give_the_same_signal() -> None:
    """A publisher may use either encoding; the signal is the same."""
    body = wire.encode("event", EVENT, "avro")

    assert messages.to_signal(body, wire.attributes("event", "avro")) == SIGNAL
    assert messages.to_signal(PLAIN, {}) == SIGNAL
    assert messages.to_signal(PLAIN, wire.attributes("event", "json")) == SIGNAL


def test_the_publish_time_is_the_default_ingestion_time() -> None:
    """A record without an ingestion time gets the publish time; otherwise it keeps its own (R3)."""
    own = json.dumps(json.loads(PLAIN) | {"receivedAt": 1_714_564_800_005}).encode()

    assert messages.to_signal(PLAIN, {}, 1_714_564_800_009).received == 1_714_564_800_009
    assert messages.to_signal(own, {}, 1_714_564_800_009).received == 1_714_564_800_005


@pytest.mark.parametrize(
    ("body", "attributes", "reason"),
    [
        (b"{", {}, "not_json"),
        (b"\x00", {"encoding": "avro"}, "unknown_schema"),
        (PLAIN, {"schema": "message:1"}, "unknown_schema"),
        (PLAIN, {"schema": "nothing"}, "unknown_schema"),
        (PLAIN, {"encoding": "xml", "schema": "event"}, "unknown_schema"),
        (b"\x00", {"encoding": "avro", "schema": "event"}, "unknown_schema"),
        (b"\x00", {"encoding": "avro", "schema": "event:0000000000000000"}, "unknown_schema"),
        (b"\x00", wire.attributes("event", "avro"), "invalid"),
        (b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", wire.attributes("event", "avro"), "invalid"),
        (wire.encode("event", EVENT, "avro") + b"!", wire.attributes("event", "avro"), "invalid"),
        (bytes(wire.MAX_BODY + 1), wire.attributes("event", "avro"), "too_large"),
        (bytes(wire.MAX_BODY + 1), {}, "too_large"),
    ],
)
def test_an_invalid_message_is_a_reason_with_a_place(
    body: bytes, attributes: dict[str, str], reason: str
) -> None:
    """Any message gives a signal or a documented reason, never an exception."""
    found = messages.to_signal(body, attributes, place="events/17")

    assert isinstance(found, Bad)
    assert (found.file, found.reason, reason in RECORDS) == ("events/17", reason, True)


def test_random_bytes_never_raise() -> None:
    """Damage anywhere in an Avro body gives a signal or a reason."""
    draw, whole = random.Random(2), wire.encode("event", EVENT, "avro")
    known = wire.attributes("event", "avro")
    for _ in range(2000):
        broken = bytearray(whole)
        for _ in range(draw.randrange(1, 4)):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        found = messages.to_signal(bytes(broken[: draw.randrange(len(broken))]), known)
        assert isinstance(found, signals.Event | Bad)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"id":"c1","user":"kim","at":1,"communication":"m"}', "missing"),
        (b'{"id":"c1","user":"kim","at":"noon","communication":"m","reason":"r"}', "invalid"),
        (b'{"id":"c1","user":"kim","at":1e99,"communication":"m","reason":"r"}', "invalid"),
        (b'{"id":"c1","user":"kim","at":9223372036854775808,"communication":"m"}', "invalid"),
        (b"[]", "invalid"),
        (b"{", "not_json"),
        (b"[" * 100_000, "invalid"),
    ],
)
def test_json_is_checked_against_its_schema(body: bytes, reason: str) -> None:
    """A body that lacks a field or has another type is refused, without its values."""
    with pytest.raises(WireError) as refused:
        wire.decode(body, {"schema": "cancel"})
    assert refused.value.reason == reason
    assert "noon" not in str(refused.value)


def test_readers_ignore_unknown_fields() -> None:
    """A newer writer's extra fields are ignored; fields that an older writer lacks get defaults."""
    body = b'{"id":"r","user":"kim","at":1,"reason":"cap","cause":"m","new":{"x":1}}'

    assert wire.decode(body, {"schema": "rejection:whatever"}) == (
        "rejection",
        {"id": "r", "user": "kim", "at": 1, "reason": "cap", "cause": "m", "flow": None,
         "step": None, "detail": ""},
    )  # fmt: skip


CONTROL = [
    control_records.Publish(
        sequence=1,
        effective_at=2,
        flow="f",
        version=3,
        text="t",
        templates={"a": "b"},
        migrate=True,
    ),
    control_records.Pause(sequence=2, effective_at=3, flow="f", resume="shift"),
    control_records.Kill(
        sequence=3, effective_at=4, channel="sms", by="kim", made_at=3, note="the price is wrong"
    ),
    control_records.SetSpace(sequence=4, effective_at=5, text="zone: UTC\n"),
]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("record", CONTROL, ids=lambda record: record.__struct_config__.tag)
def test_control_records_survive_every_encoding(
    record: control_records.ControlRecord, encoding: wire.Encoding
) -> None:
    """A control record is unchanged after a table, a topic or a file."""
    body = wire.encode("control_record", messages.control_row(record), encoding)
    name, row = wire.decode(body, wire.attributes("control_record", encoding))

    assert (name, messages.control_of(row)) == ("control_record", record)


def test_an_output_topic_accepts_only_outputs() -> None:
    """The reader of an output topic refuses anything that is not an output."""
    for name, row in (("event", EVENT), ("control_record", messages.control_row(CONTROL[1]))):
        with pytest.raises(WireError, match="is not an output"):
            messages.from_message(
                wire.encode(name, {**blank(name), **row}, "json"), {"schema": name}
            )


def blank(name: str) -> dict[str, Any]:
    return {f["name"]: f["default"] for f in schemas.load(name)["fields"] if "default" in f}
