"""Schemas are only extended: today's are compared with every released version."""

from __future__ import annotations

import copy
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from schemas import evolution, wire
from schemas.evolution import problems, released, versions
from tests.packaging.repository import ROOT
from tests.schemas.test_wire import KINDS
from transforms.wire.rows import _field

Schema = dict[str, Any]
PAIRS = [(version, name) for version in versions() for name in released(version)]

OLD: Schema = {
    "type": "record",
    "name": "towpath.visit",
    "time": "at",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "data", "type": "string", "json": True, "default": "{}"},
    ],
}
PAGES = {"name": "pages", "type": "long", "default": 0}


def test_no_schema_breaks_a_released_one() -> None:
    """Every change since any release follows the rules, so old and new read each other."""
    assert evolution.check() == []


def test_every_schema_was_released() -> None:
    """Version 1 is stored, with the schemas of that time."""
    assert versions()[0] == 1
    assert set(released(1)) <= set(schemas.NAMES)


@pytest.mark.parametrize(("version", "name"), PAIRS)
@settings(max_examples=5)
@given(data=st.data())
def test_records_of_every_release_stay_readable(
    version: int, name: str, data: st.DataObject
) -> None:
    """What a released schema wrote is read by today's: known fields unchanged, others default."""
    old = released(version)[name]
    found = [_field(field) for field in old["fields"]]
    row = {f.name: data.draw(st.none() if f.optional else KINDS[f.kind]) for f in found}
    written = wire._id(name, old)
    body = io.BytesIO()
    fastavro.schemaless_writer(body, wire._plain(written), row)
    read = wire.decode(body.getvalue(), {"schema": written, "encoding": "avro"})
    defaults = {f["name"]: f.get("default") for f in schemas.load(name)["fields"]}

    assert read == (name, defaults | row)
    assert wire.decode(wire.encode(name, row, "json"), {"schema": written}) == read


def changed(change: Callable[[dict[str, Schema], Schema], object]) -> Schema:
    """Copy the old schema and change it; the change gets its fields by name, and the schema."""
    new = copy.deepcopy(OLD)
    change({field["name"]: field for field in new["fields"]}, new)
    return new


def move_note(fields: dict[str, Schema], new: Schema) -> None:
    fields["note"]["name"] = "remark"


@pytest.mark.parametrize(
    "change",
    [
        lambda fields, new: new["fields"].append(PAGES),
        lambda fields, new: new["fields"].insert(0, PAGES),
        lambda fields, new: new["fields"].reverse(),
        lambda fields, new: new.update(doc="Other words."),
    ],
    ids=["added", "added first", "other order", "documented"],
)
def test_compatible_changes(change: Callable[[dict[str, Schema], Schema], object]) -> None:
    """A field with a default, another order or other texts: old and new read each other."""
    new = changed(change)
    row = {"id": "v", "at": 5, "note": "x", "data": "{}"}

    assert list(problems("visit", OLD, new)) == []
    assert reread(row, OLD, new)["note"] == "x"
    assert reread(reread(row, OLD, new), new, OLD) == reread(row, OLD, OLD)


def reread(row: dict[str, Any], writer: Schema, reader: Schema) -> dict[str, Any]:
    """Write with one schema and read with another."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, writer, row)
    body.seek(0)
    return fastavro.schemaless_reader(body, writer, reader)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda fields, new: new["fields"].remove(fields["note"]),
            "visit.note: removed; keep it, readers of old records need it",
        ),
        (
            move_note,
            (
                'visit.note: removed; if "remark" is its new name: keep the old one, readers know '
                "it by that"
            ),
        ),
        (
            lambda fields, new: fields["id"].update(type="long"),
            'visit.id: its type was "string" and is "long"; add a field of another name instead',
        ),
        (
            lambda fields, new: fields["note"].update(type="string"),
            (
                'visit.note: its type was ["null", "string"] and is "string"; add a field of '
                "another name instead"
            ),
        ),
        (
            lambda fields, new: fields["data"].pop("json"),
            "visit.data: free maps in JSON must stay such, and texts texts",
        ),
        (
            lambda fields, new: fields["data"].update(default='{"a":1}'),
            "visit.data: its default changed; old records without it would mean something else",
        ),
        (
            lambda fields, new: fields["note"].pop("default"),
            "visit.note: its default changed; old records without it would mean something else",
        ),
        (
            lambda fields, new: new["fields"].append({"name": "pages", "type": "long"}),
            "visit.pages: added without a default; old records do not have it",
        ),
        (
            lambda fields, new: new.update(time="id"),
            'visit: its time was "at"; tables are partitioned by it',
        ),
    ],
)
def test_incompatible_changes_are_refused(
    change: Callable[[dict[str, Schema], Schema], object], says: str
) -> None:
    """Each incompatible change is reported with its field and what to do instead."""
    assert list(problems("visit", OLD, changed(change))) == [says]


def test_a_released_schema_may_not_be_removed() -> None:
    """A released schema stays."""
    assert list(problems("visit", OLD, None)) == [
        "visit: the schema is gone; keep it, others may still write it"
    ]


def test_all_problems_of_a_schema_are_reported_at_once() -> None:
    """All problems of a schema are reported in one run."""
    new = changed(lambda fields, new: (move_note(fields, new), fields["id"].update(type="long")))

    assert len(list(problems("visit", OLD, new))) == 2


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a checkout."""
    command = [sys.executable, "-m", "schemas.evolution", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_release_is_stored_and_then_checked(tmp_path: Path) -> None:
    """A release stores the changed schemas as a version; from then on they are only extended."""
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    last, path = versions()[-1], tmp_path / "schemas" / "cancel.avsc"
    schema = json.loads(path.read_text())
    schema["fields"].append({"name": "by", "type": "string", "default": "", "doc": "Who."})
    path.write_text(json.dumps(schema))

    told, _, changes = run(tmp_path).stdout.strip().rpartition(": ")
    assert told == "0 problems; changed since the last release"
    assert "cancel" in changes.split(", ")
    stored = run(tmp_path, "--release").stdout.strip()
    assert stored.endswith(f"released/{last + 1}")
    assert json.loads(Path(stored, "cancel.avsc").read_text()) == schema
    assert run(tmp_path, "--release").stdout.endswith("changed since the last release: none\n")
    schema["fields"].pop()
    path.write_text(json.dumps(schema))
    refused = run(tmp_path, "--release")
    assert refused.returncode == 1
    assert refused.stdout == "cancel.by: removed; keep it, readers of old records need it\n"
