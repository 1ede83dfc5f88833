"""Decoding converts records to signals or reasons, and never raises."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest

import schemas
from transforms.flows.protocol import signals
from transforms.flows.protocol.reason_codes import RECORDS
from transforms.flows.protocol.signals import Event
from transforms.hosting.dead_letters import of_file_record
from transforms.wire.decode import decode, decode_json, decode_row, decode_used
from transforms.wire.envelope import KINDS, AnyEnvelope
from transforms.wire.mapping import Mapping, Property, TimeColumn
from transforms.wire.raw import Bad, Raw
from transforms.wire.rows import canonical
from transforms.wire.values import EPOCH, MAX_BYTES, MILLISECOND, to_ms

NOON = 1_714_564_800_000
BASE = {"messageId": "m1", "userId": "u1", "timestamp": "2024-05-01T12:00:00Z"}
TRACK = BASE | {"type": "track", "event": "Purchase", "properties": {"amount": 9.5}}
HEARD = {"id": "m1", "user": "u1", "time": NOON}

EXAMPLES: dict[str, tuple[dict[str, Any], signals.Signal]] = {
    "track": (TRACK, Event(name="Purchase", properties={"amount": 9.5}, **HEARD)),
    "identify": (
        {"traits": {"city": "Oslo", "age": None}, "unset": ["size"], "consent": {"email": False}},
        signals.ProfileChange(
            set={"city": "Oslo"}, unset=("size", "age"), consent={"email": False}, **HEARD
        ),
    ),
    "audience": (
        {"audience": "vip", "entered": True},
        signals.AudienceChange(audience="vip", entered=True, **HEARD),
    ),
    "communication": (
        {"communication": "c1", "status": "opened", "data": {"reply": "yes"}},
        signals.CommunicationUpdate(
            communication="c1", status="opened", data={"reply": "yes"}, **HEARD
        ),
    ),
    "inbound": (
        {"channel": "sms", "number": "+4930123", "text": "STOP", "communication": "c1"},
        signals.Inbound(channel="sms", number="+4930123", text="STOP", communication="c1", **HEARD),
    ),
    "enter": (
        {"flow": "winback", "key": "k", "data": {"a": 1}, "profile": {"b": 2}, "memberOf": "vip"},
        signals.Enter(
            flow="winback", key="k", data={"a": 1}, profile={"b": 2}, member_of="vip", **HEARD
        ),
    ),
    "call_result": (
        {"call": "k1", "ok": False, "result": {"a": 1}, "error": "timed out"},
        signals.CallResult(call="k1", ok=False, result={"a": 1}, error="timed out", **HEARD),
    ),
    "handover": (
        {"source": "anon:a7", "state": "AAEC/w=="},
        signals.Handover(source="anon:a7", state=b"\x00\x01\x02\xff", **HEARD),
    ),
    "forwarded": (
        {"source": "anon:a7", "handover": "h1", "hops": 2, "signal": "AAEC/w=="},
        signals.Forwarded(
            source="anon:a7", handover="h1", hops=2, signal=b"\x00\x01\x02\xff", **HEARD
        ),
    ),
    "alias": (
        {"previousId": "u0"},
        signals.ProfileChange(becomes="u1", id="m1", user="u0", time=NOON),
    ),
    "command": (
        {"what": "stop", "flow": "winback"},
        signals.Command(what="stop", flow="winback", **HEARD),
    ),
}
NAMES = {
    "track": "event",
    "identify": "profile_change",
    "audience": "audience_change",
    "communication": "communication_update",
    "handover": "handover_in",
    "forwarded": "forwarded_in",
}


def line(**changes: Any) -> bytes:
    return json.dumps(TRACK | changes).encode()


def bad(record: bytes) -> Bad:
    found = decode_json(record, "events.jsonl", 7)
    assert isinstance(found, Bad)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_record_becomes_its_signal(kind: str) -> None:
    """The envelope of each kind decodes to the signal that it stands for."""
    record, signal = EXAMPLES[kind]
    assert decode_json(json.dumps(BASE | {"type": kind} | record).encode()) == signal


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_may_hold_the_envelope(kind: str) -> None:
    """Columns of the envelope decode like its JSON, with maps as maps or as JSON text."""
    record, signal = EXAMPLES[kind]
    row = {**BASE, "type": kind, **record}
    texts = {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()}

    assert decode(Raw("f", 1, row | {"receivedAt": None})) == signal
    assert decode(Raw("f", 1, texts)) == signal


def test_a_whole_number_in_a_text_column_is_text() -> None:
    """A column of numbers or texts that a table stores as whole numbers is read as text."""
    row = BASE | {"type": "inbound", "channel": "sms", "number": 4711, "text": 42}

    found = decode(Raw("f", 1, row))

    assert found == signals.Inbound(channel="sms", number="4711", text="42", **HEARD)


@pytest.mark.parametrize("kind", get_args(AnyEnvelope), ids=lambda kind: kind.__name__)
def test_the_input_schemas_are_the_envelope(kind: Any) -> None:
    """The fields of the Avro schema for publishers are exactly the fields that are read."""
    tag = kind.__struct_config__.tag
    schema = schemas.load(NAMES.get(tag, tag))
    read = {field.encode_name: field.required for field in msgspec.structs.fields(kind)}

    assert {f["name"]: "default" not in f for f in schema["fields"]} == {"type": True} | read


def test_times_are_milliseconds_utc() -> None:
    """ISO text with an offset or without (then UTC) and ms numbers are the same instant."""
    for text in ("2024-05-01T14:00:00+02:00", "2024-05-01T12:00:00", NOON):
        found = decode_json(line(timestamp=text, receivedAt=text))
        assert isinstance(found, Event)
        assert (found.time, found.received) == (NOON, NOON)


def test_conversion_to_milliseconds_is_exact() -> None:
    """Every instant between 1970 and 2200 is converted to the exact millisecond."""
    draw = random.Random(1)
    for _ in range(2000):
        micros = draw.randrange(230 * 365 * 86_400 * 1_000_000)
        moment = EPOCH + timedelta(microseconds=micros)
        assert to_ms(moment) == (moment - EPOCH) // MILLISECOND == micros // 1000


def test_a_future_event_time_is_left_to_the_core() -> None:
    """An event time later than the ingestion time is not changed (R9)."""
    found = decode_json(line(receivedAt="2024-05-01T11:00:00Z"))

    assert isinstance(found, Event)
    assert found.time > (found.received or 0)


def test_an_anonymous_user_has_a_separate_key() -> None:
    """Without a user id the key is made of the anonymous id (R8)."""
    found = decode_json(line(userId=None, anonymousId="a7"))

    assert isinstance(found, Event)
    assert found.user == "anon:a7"


def test_an_identify_with_both_ids_is_for_the_anonymous_key() -> None:
    """An identify with both ids goes to the anonymous key, and names the user (R8)."""
    found = decode_json(json.dumps(BASE | {"type": "identify", "anonymousId": "a7"}).encode())

    assert isinstance(found, signals.ProfileChange)
    assert (found.user, found.becomes) == ("anon:a7", "u1")


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b'{"type":"track","event":"\xff"}', "not_json"),
        (b"[" * 200_000, "invalid"),
        (b'{"type":"track","properties":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001, "too_deep"),
        (line(properties=deep(17)), "too_deep"),
        (line(properties=deep(2) | {"n": 2**63}), "out_of_range"),
        (line(properties={"n": {"m": 2**80}}), "out_of_range"),
        (line(properties={"n": [10**30]}), "out_of_range"),
        (line(properties={"n": -(2**63) - 1}), "out_of_range"),
        (line(properties={"n": 0}).replace(b" 0}", b" NaN}"), "not_json"),
        (line(properties={"n": 0}).replace(b" 0}", b" 1e999}"), "out_of_range"),
        (line(properties={"n": 0}).replace(b" 0}", b" " + b"9" * 5000 + b"}"), "out_of_range"),
        (line(properties={"t": "x" * MAX_BYTES}), "too_large"),
        (line(context={"t": "x" * 300_000}), "too_large"),
        (line(properties=[1]), "invalid"),
        (line(messageId=""), "invalid"),
        (line(messageId="x" * 257), "invalid"),
        (line(messageId="\x1frow:1"), "invalid"),
        (line(messageId="row\n1"), "invalid"),
        (line(userId="a\x1fk"), "invalid"),
        (line(userId="x" * 257), "invalid"),
        (line(userId=7), "invalid"),
        (line(userId=None), "missing"),
        (line(event="x" * 257), "invalid"),
        (line(event=""), "invalid"),
        (line(type="page"), "invalid"),
        (line(timestamp="yesterday"), "invalid"),
        (line(timestamp="1969-12-31T23:59:59Z"), "out_of_range"),
        (line(timestamp="2201-01-01T00:00:00Z"), "out_of_range"),
        (line(timestamp=1_714_564_800), "out_of_range"),
        (line(timestamp=2**62), "out_of_range"),
        (line(receivedAt="3000-01-01T00:00:00Z"), "out_of_range"),
        (b'{"type":"track","messageId":"m"}', "missing"),
        (b'{"messageId":"m"}', "missing"),
    ],
)
def test_an_invalid_record_is_a_reason_with_a_place(record: bytes, reason: str) -> None:
    """Any input gives a signal or a reason from the documented list."""
    found = bad(record)

    assert (found.file, found.line) == ("events.jsonl", 7)
    assert (found.reason, found.reason in RECORDS) == (reason, True), found.detail


@pytest.mark.parametrize(
    ("kind", "field"),
    [("identify", "traits"), ("communication", "data"), ("enter", "data"), ("enter", "profile"),
     ("enter", "participant"), ("command", "data"), ("call_result", "result")],
)  # fmt: skip
def test_every_free_map_is_limited(kind: str, field: str) -> None:
    """No record has a map that is deeper or larger than the properties of an event may be."""
    plain = BASE | {"type": kind} | EXAMPLES[kind][0]

    assert bad(json.dumps(plain | {field: deep(17)}).encode()).reason == "too_deep"
    assert bad(json.dumps(plain | {field: {"a": [2**64]}}).encode()).reason == "out_of_range"
    assert bad(json.dumps(plain | {field: {"a": "x" * MAX_BYTES}}).encode()).reason == "too_large"
    assert not isinstance(decode_json(json.dumps(plain | {field: deep(16)}).encode()), Bad)


def test_consent_and_tags_are_limited() -> None:
    """A change names at most a thousand consents, tags or traits to remove."""
    many = {f"topic{n}": True for n in range(1001)}
    for field, value in (("consent", many), ("tag", [*many]), ("unset", [*many])):
        assert (
            bad(json.dumps(BASE | {"type": "identify", field: value}).encode()).reason == "invalid"
        )


def test_values_at_the_limits_are_accepted() -> None:
    """The limits themselves are allowed: 16 levels, 256 characters, 64 bits, the last day of 2200."""
    record = line(
        properties=deep(16) | {"n": 2**63 - 1, "m": [-(2**63)]},
        userId="x" * 256,
        timestamp="2200-12-31T23:59:59.999Z",
    )
    assert isinstance(decode_json(record), Event)


def test_a_reason_shows_no_values() -> None:
    """Dead letters contain no personal data: no value of the record is in the detail."""
    secret = "ada@example.com"
    records = [
        line(type=secret),
        line(timestamp=secret),
        line(userId=[secret]),
        line(properties=secret),
        json.dumps(BASE | {"type": "command", "what": secret}).encode(),
    ]

    assert [secret in bad(record).detail for record in records] == [False] * len(records)


def test_random_bytes_never_raise() -> None:
    """Damage anywhere in a record gives a signal or a reason."""
    draw = random.Random(2)
    whole = line()
    for _ in range(3000):
        broken = bytearray(whole)
        for _ in range(draw.randrange(1, 4)):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        assert decode_json(bytes(broken[: draw.randrange(len(broken))])) is not None


def test_an_event_that_no_flow_uses_is_ignored() -> None:
    """Only a track call with an unused name is ignored, even an invalid one; others are decoded
    (R5).
    """
    names = frozenset({"Purchase"})
    identify = json.dumps(BASE | {"type": "identify"}).encode()

    assert decode_used(line(event="Page Viewed"), names) is None
    assert decode_used(line(event="Page Viewed", messageId=""), names) is None
    assert decode_used(line(event="Page Viewed", properties={"a": "x" * 600_000}), names) is None
    assert decode_used(line(event="Page Viewed", properties={"a": 2**70}), names) is None
    assert decode_used(line(), names) == decode_json(line())
    assert decode_used(identify, names) == decode_json(identify)
    for broken in (b"{", b"[" * 200_000, line(messageId="")):
        assert isinstance(decode_used(broken, names), Bad)


MAPPING = Mapping(
    user="who",
    time=TimeColumn("day"),
    event="what",
    zone="Europe/Berlin",
    received=TimeColumn("got", "s"),
    id="key",
    sequence="n",
    properties={
        "amount": Property("usd", "number"),
        "first": Property("first", "boolean"),
        "due": Property("due", "time"),
        "note": Property("note"),
    },
)
ROW = {
    "who": "u1", "day": "2024-05-01", "what": "Purchase", "got": "1714564800", "key": "k1",
    "n": "3", "usd": "12", "first": "yes", "due": "2024-05-02T00:00:00Z", "note": "é",
}  # fmt: skip


def test_a_row_becomes_an_event_by_the_mapping() -> None:
    """A date is local midnight in the zone; text is converted to the type of its column."""
    assert decode_row(ROW, MAPPING, "f", 1) == Event(
        id="k1", user="u1", time=NOON - 14 * 3_600_000, received=NOON, sequence=3, name="Purchase",
        properties={"amount": 12, "first": True, "due": NOON + 12 * 3_600_000, "note": "é"},
    )  # fmt: skip


def test_a_typed_row_becomes_the_same_event() -> None:
    """A row of Parquet or Avro, with types, is the same event as its text would be."""
    typed = ROW | {
        "day": date(2024, 5, 1), "got": 1_714_564_800, "n": 3, "usd": Decimal(12), "first": True,
        "due": datetime(2024, 5, 2, tzinfo=UTC),
    }  # fmt: skip
    assert decode_row(typed, MAPPING, "f", 1) == decode_row(ROW, MAPPING, "f", 1)


def test_an_empty_cell_is_omitted() -> None:
    """Empty cells of optional columns omit the property, ingestion time or sequence."""
    found = decode_row(ROW | {"usd": "", "note": None, "got": "", "n": ""}, MAPPING, "f", 1)

    assert isinstance(found, Event)
    assert (set(found.properties), found.received, found.sequence) == ({"first", "due"}, None, 0)


@pytest.mark.parametrize(
    ("change", "reason", "column"),
    [
        ({"who": ""}, "missing", "who"),
        ({"who": 1.5}, "invalid", "who"),
        ({"who": "x" * 257}, "invalid", "who"),
        ({"key": "\x1frow:1"}, "invalid", "key"),
        ({"day": None}, "missing", "day"),
        ({"day": "01/05/2024"}, "invalid", "day"),
        ({"day": "1960-01-01"}, "out_of_range", "day"),
        ({"day": True}, "invalid", "day"),
        ({"got": "soon"}, "invalid", "got"),
        ({"got": float("nan")}, "invalid", "got"),
        ({"got": float("inf")}, "out_of_range", "got"),
        ({"n": "1.5"}, "invalid", "n"),
        ({"n": str(2**63)}, "invalid", "n"),
        ({"usd": "12 USD"}, "invalid", "usd"),
        ({"usd": "1_000"}, "invalid", "usd"),
        ({"usd": "nan"}, "invalid", "usd"),
        ({"usd": "9" * 5000}, "invalid", "usd"),
        ({"usd": "9" * 40}, "out_of_range", ""),
        ({"usd": float("nan")}, "out_of_range", ""),
        ({"first": "maybe"}, "invalid", "first"),
        ({"due": "later"}, "invalid", "due"),
        ({"note": "x" * MAX_BYTES}, "too_large", ""),
        ({"note": deep(40)}, "too_deep", ""),
    ],
)
def test_an_invalid_row_names_its_column(change: dict[str, Any], reason: str, column: str) -> None:
    """A cell that does not fit is a reason that names the column and does not show the cell."""
    found = decode_row(ROW | change, MAPPING, "f.csv", 9)

    assert isinstance(found, Bad)
    assert (found.line, found.reason) == (9, reason), found.detail
    assert column in found.detail


def test_a_dead_letter_has_its_place() -> None:
    """An invalid record's dead letter names file, line and reason, and is the same each time (R30)."""
    letter = of_file_record(Bad("f.csv", 9, "invalid", 'column "usd" is not a number'), NOON)

    assert (letter.cause, letter.reason, letter.at) == ("f.csv:9", "invalid", NOON)
    assert letter == of_file_record(
        Bad("f.csv", 9, "invalid", 'column "usd" is not a number'), NOON
    )


def test_signals_can_be_encoded() -> None:
    """Every decoded signal can be encoded: all its values fit msgpack and JSON."""
    found = decode_json(line(properties={"n": [2**63 - 1], "t": "é", "f": 1e300, "b": None}))

    assert signals.decode(signals.encode(found)) == found
    assert canonical(found)
