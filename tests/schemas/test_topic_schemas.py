"""What the job publishes as Avro is what a reader with only the schema of the topic reads.

Pub/Sub checks a message against its topic's schema, and a BigQuery subscription writes its fields to
columns. Both read the bare record, without the header of an Avro file.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest

import schemas
from schemas import Schema, wire
from tests.docs.reader import sample_run
from tests.kit.simulate import simulated
from transforms.flows.protocol.outputs import AnyOutput
from transforms.hosting.dead_letters import of_output
from transforms.sinks.part_files import listed
from transforms.wire.messages import from_message, to_message
from transforms.wire.rows import fields, from_row, name_of, to_row

pytestmark = pytest.mark.xdist_group("sample")  # shares the replay of the sample

FOLDER = Path(schemas.__file__).parent
SCALARS = {"string", "long", "double", "boolean", "bytes"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
# Prefixes that names of columns in BigQuery must not have.
RESERVED = (
    "_table_",
    "_file_",
    "_partition",
    "_row_timestamp",
    "__root__",
    "_colidentifier",
    "_change_",
)
# Columns that a subscription with write_metadata adds.
METADATA = {"subscription_name", "message_id", "publish_time", "attributes"}
ROWS = 300
SEEDS = 60


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[AnyOutput]]:
    """Return outputs of the sample, and of random histories for kinds that it has none of."""
    _, results = sample_run(tmp_path_factory.getbasetemp())
    found = {kind: list(islice(of_sample(kind, results), ROWS)) for kind in schemas.OUTPUTS}
    missing = {kind for kind, some in found.items() if not some}
    for seed in range(SEEDS):
        for output in simulated(seed).outputs:
            if (kind := name_of(output)) in missing and len(found[kind]) < ROWS:
                found[kind].append(output)
    # A dead letter is about a defect, and the histories show none.
    found["dead_letter"] = [
        of_output("shop", one, "topics", "it is too long") for one in found["message"]
    ]
    return found


def of_sample(kind: str, results: Path) -> Iterator[AnyOutput]:
    """Read the outputs of a kind from the tables of the sample."""
    for path in listed(kind, results):
        for row in pq.ParquetFile(path).read().to_pylist():
            yield from_row(kind, row)  # type: ignore[misc]  # no metric


def text_of(kind: str) -> str:
    """Return the schema of a topic, as it is given to Pub/Sub."""
    return (FOLDER / f"{kind}.avsc").read_text("utf-8")


@pytest.mark.parametrize("kind", schemas.OUTPUTS)
def test_outputs_are_read_with_the_schema_of_their_topic(
    kind: str, outputs: dict[str, list[AnyOutput]]
) -> None:
    """Each field has the value of the output, times are instants, and no byte is left."""
    schema = fastavro.parse_schema(json.loads(text_of(kind)))
    assert outputs[kind], f"no output of the kind {kind} was found"

    for output in outputs[kind]:
        sent = to_message("shop", output, "avro")
        body = io.BytesIO(sent.data)
        read = fastavro.schemaless_reader(body, schema, None)

        assert body.read() == b""
        assert read == as_instants(kind, to_row(output))
        assert from_message(sent.data, sent.attributes) == output


def test_damaged_bodies_are_noticed(outputs: dict[str, list[AnyOutput]]) -> None:
    """The reader of these tests is a real one: without its last byte, a body is an error."""
    body = to_message("shop", outputs["transition"][0], "avro").data
    schema = fastavro.parse_schema(json.loads(text_of("transition")))

    with pytest.raises((EOFError, IndexError)):
        fastavro.schemaless_reader(io.BytesIO(body[:-1]), schema, None)


def as_instants(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    """Replace times in ms by instants, as a reader that knows the logical type has them."""
    times = {field.name for field in fields(kind) if field.kind == "time"}
    return {
        name: datetime.fromtimestamp(value / 1000, UTC) if name in times and value is not None else value
        for name, value in row.items()
    }  # fmt: skip


@pytest.mark.parametrize("kind", schemas.OUTPUTS + schemas.METRICS)
def test_every_field_has_a_column_in_bigquery(kind: str) -> None:
    """A field is a scalar, a list of texts, or either null: no map, record, enum or other union."""
    text = text_of(kind)
    schema = json.loads(text)
    names = [field["name"] for field in schema["fields"]]

    assert problems(schema) == []
    assert len({name.lower() for name in names}) == len(names)
    assert METADATA.isdisjoint(names)
    assert len(text.encode()) < 300 * 1024


def problems(schema: Schema) -> list[str]:
    """List the fields that a BigQuery subscription could not map."""
    return [
        field["name"]
        for field in schema["fields"]
        if not NAME.fullmatch(field["name"])
        or field["name"].lower().startswith(RESERVED)
        or not mapped(field["type"])
    ]


def mapped(kind: Any, nullable: bool = True) -> bool:
    """Return True if BigQuery has a column for a type."""
    match kind:
        case str():
            return kind in SCALARS
        case ["null", other]:
            return nullable and mapped(other, nullable=False)
        case {"type": "array", "items": items}:
            return items in SCALARS and nullable  # BigQuery has no null lists
        case {"type": "long", "logicalType": "timestamp-millis"}:
            return True
        case _:
            return False


@pytest.mark.parametrize(
    "kind",
    [
        {"type": "map", "values": "string"},
        ["null", "string", "long"],
        ["string", "null"],
        {"type": "enum", "name": "e", "symbols": ["a"]},
        {"type": "record", "name": "r", "fields": []},
        ["null", {"type": "array", "items": "string"}],
        {"type": "int", "logicalType": "date"},
        "transition",
    ],
    ids=str,
)
def test_types_without_a_column_are_found(kind: Any) -> None:
    """Types of which these schemas must never have a field are reported."""
    assert problems({"fields": [{"name": "f", "type": kind}]}) == ["f"]


def test_a_topic_with_a_schema_needs_avro(outputs: dict[str, list[AnyOutput]]) -> None:
    """Pub/Sub's JSON is that of Avro, which wraps the values of unions; the job's JSON is plainer."""
    row = next(row for row in map(to_row, outputs["transition"]) if row["reason"] is not None)
    text = io.StringIO()
    fastavro.json_writer(text, json.loads(text_of("transition")), [as_instants("transition", row)])

    assert json.loads(text.getvalue())["reason"] == {"string": row["reason"]}
    assert json.loads(wire.encode("transition", row, "json"))["reason"] == row["reason"]
