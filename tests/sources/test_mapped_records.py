"""Mappings for JSON lines and Parquet, and messages about records that cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.flows.protocol.signals import Event
from transforms.sources.files import file_problems, read, reads_mapping
from transforms.wire.decode import decode, decode_json, has_no_id
from transforms.wire.mapping import Mapping, Property, TimeColumn, load_mapping
from transforms.wire.raw import Bad, Raw

MAPPING = Mapping(
    user="who.id",
    event="name",
    time=TimeColumn("ts", "s"),
    properties={"total": Property("properties.total", "number"), "plan": Property("who.plan")},
)
RECORDS: list[dict[str, Any]] = [
    {"who": {"id": 7, "plan": "pro"}, "name": "Paid", "ts": 1_714_564_800,
     "properties": {"total": 9.5}},
    {"who": {"id": 8, "plan": None}, "name": "Paid", "ts": 1_714_564_801,
     "properties": {"total": None}},
]  # fmt: skip
ENVELOPE = {
    "type": "track", "messageId": "m", "userId": "u", "timestamp": 1_714_564_800_000, "event": "E",
}  # fmt: skip


def events(path: Path, mapping: Mapping = MAPPING) -> list[Event]:
    """Decode a file, all of whose records are events."""
    found = [decode(raw, mapping) for raw in read(path, mapping) if isinstance(raw, Raw)]
    assert all(isinstance(event, Event) for event in found), found
    return found  # type: ignore[return-value]


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_nested_paths_of_json_lines_and_parquet(tmp_path: Path) -> None:
    """The same records as JSON lines and as Parquet are the same events, with the same ids."""
    lines = write_lines(tmp_path / "x.jsonl", RECORDS)
    pq.write_table(pa.Table.from_pylist(RECORDS), tmp_path / "x.parquet")
    found = events(lines)

    assert found == events(tmp_path / "x.parquet")
    assert [(event.user, event.time) for event in found] == [
        ("7", 1_714_564_800_000),
        ("8", 1_714_564_801_000),
    ]
    assert [event.properties for event in found] == [{"total": 9.5, "plan": "pro"}, {}]
    assert all(has_no_id(raw, MAPPING) for raw in read(lines, MAPPING) if isinstance(raw, Raw))


def test_a_column_with_a_dot_goes_first() -> None:
    """A column whose whole name has a dot is that column, not a path."""
    row = {"who.id": "flat", "who": {"id": "nested"}, "name": "E", "ts": "1714564800"}
    found = decode(Raw("x.csv", 1, row), MAPPING)

    assert isinstance(found, Event)
    assert found.user == "flat"


def test_a_path_that_is_not_there_is_reported(tmp_path: Path) -> None:
    """A struct in Parquet says which fields it has: a misspelt path is refused before the run."""
    path = tmp_path / "x.parquet"
    records = [record | {"properties": {"totl": 1}} for record in RECORDS]
    pq.write_table(pa.Table.from_pylist(records), path)
    (found,) = file_problems(path, MAPPING)

    assert 'there is no column "properties.total"; did you mean "properties.totl"?' in found.detail


def test_an_envelope_needs_no_mapping(tmp_path: Path) -> None:
    """Records of the envelope are read as they are, beside mapped ones; --map is then used."""
    mixed = write_lines(tmp_path / "x.jsonl", [ENVELOPE, RECORDS[0]])
    only = write_lines(tmp_path / "y.jsonl", [ENVELOPE])

    assert [event.user for event in events(mixed)] == ["u", "7"]
    assert [has_no_id(raw, MAPPING) for raw in read(mixed, MAPPING) if isinstance(raw, Raw)] == [
        False,
        True,
    ]
    assert (reads_mapping(mixed), reads_mapping(only)) == (True, False)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b'{"a": NaN}', "NaN and Infinity are not JSON; write null"),
        (
            rb'{"a": "\ud800"}',
            r"an escape from \ud800 to \udfff is half of a character; write the whole one",
        ),
        (b"{", "a record must be on one line; jq -c . writes it so"),
        (json.dumps(ENVELOPE).encode() + b",", "a comma after the record"),
        (b"{'a': 1}", "texts and keys need double quotes"),
        (b'{"a": 1, "b', "it ends too early"),
        (json.dumps(ENVELOPE).encode()[:-1] + b', "userId": "\xff"}', "some bytes are not UTF-8"),
        (b"[]", "jq -c '.[]' writes one record per line"),
        (b'{"a": 1}', "other records need a mapping (--map)"),
    ],
)
def test_a_line_that_is_no_record_has_a_cause(line: bytes, detail: str) -> None:
    """A line that is not a record is described with the likely cause, without its contents."""
    found = decode_json(line)

    assert isinstance(found, Bad)
    assert found.detail.endswith(detail)


@pytest.mark.parametrize(
    ("timestamp", "detail"),
    [
        (1_714_564_800, "it looks like seconds; multiply it by 1000"),
        (1_714_564_800.5, "it looks like seconds since 1970; write milliseconds: multiply it by 1000"),
        ("1714564800000", "it looks like milliseconds since 1970 in quotes; write a number of milliseconds"),
        ("2026-01-31", "it is a date without a time of day; write T00:00:00Z after it"),
        ("yesterday", "timestamp is not an ISO 8601 date and time, such as 2026-01-31T09:00:00Z"),
        (None, "it is null"),
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_read_has_a_cause(timestamp: object, detail: str) -> None:
    """A time is described in the project's words, with the likely cause."""
    found = decode_json(json.dumps(ENVELOPE | {"timestamp": timestamp}).encode())

    assert isinstance(found, Bad)
    assert found.detail.endswith(detail)


@pytest.mark.parametrize(
    ("value", "unit", "detail"),
    [
        ("1714564800", None, "it looks like seconds since 1970; write {column: ts, unit: s}"),
        (1_714_564_800_000, "s", "it looks like milliseconds since 1970; write {column: ts, unit: ms}"),
        (1_714_564_800_000_000, "ms", "it looks like microseconds since 1970; divide by 1000 and use unit: ms"),
        (float("nan"), "s", "it is NaN; leave the cell empty, or write null"),
        ("soon", None, 'column "ts" is not an ISO 8601 date or date-time'),
    ],
)  # fmt: skip
def test_a_mapped_time_has_a_cause(value: object, unit: Any, detail: str) -> None:
    """A time of a mapped record that cannot be read names the unit that it seems to have."""
    mapping = Mapping(user="who", event_value="E", time=TimeColumn("ts", unit))
    found = decode(Raw("x.csv", 1, {"who": "u", "ts": value}), mapping)

    assert isinstance(found, Bad)
    assert found.detail.endswith(detail)


@pytest.mark.parametrize(
    ("name", "data", "detail"),
    [
        ("x.jsonl.gz", b"{}\n", "it is not gzip, or damaged; if it is not compressed, name it without .gz"),
        ("x.csv", gzip.compress(b"a,b\n", mtime=0), "it is gzip; name it x.csv.gz"),
    ],
)  # fmt: skip
def test_a_wrong_name_is_reported(name: str, data: bytes, detail: str, tmp_path: Path) -> None:
    """A file that is not what its name says is refused before the run."""
    (tmp_path / name).write_bytes(data)
    (found,) = file_problems(tmp_path / name, MAPPING)

    assert found.detail == detail


def test_a_zone_for_numbers_is_refused() -> None:
    """A zone is not used if all times are numbers; a text, or a property that is a time, uses it."""
    text = "user: a\nevent: b\ntime: {column: c, unit: s}\nzone: Europe/Rome\n"
    timed = text + "properties: {due: {column: due, type: time}}\n"

    assert [problem.code for problem in load_mapping(text, "m.yaml").problems] == ["unused-zone"]
    assert load_mapping(timed, "m.yaml").problems == ()
