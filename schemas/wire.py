"""Rows on a wire: a body of JSON or Avro, and beside it the name and fingerprint of its schema.

A reader never guesses: the ``schema`` attribute says what the body was written with, and every
released schema is known by its fingerprint, so old bodies stay readable (``schemas.evolution``).
"""

from __future__ import annotations

import io
from functools import cache
from typing import Annotated, Any, Literal, cast

import msgspec

import schemas
from schemas import Schema
from schemas.evolution import released, versions

Row = dict[str, Any]
Encoding = Literal["json", "avro"]

MAX_BODY = 10 * 1024 * 1024
"""Bytes of a body, at most: what Pub/Sub takes."""

_canonical = msgspec.json.Encoder(order="sorted").encode


class WireError(ValueError):
    """A body that cannot be read; ``reason`` is a code, the text shows none of its values."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@cache
def schema_id(name: str) -> str:
    """Name a schema as it is now: ``message:0123456789abcdef``, with its CRC-64-AVRO."""
    return _id(name, schemas.parsed(name))


def attributes(name: str, encoding: Encoding) -> dict[str, str]:
    """Say of a body what it is."""
    return {"schema": schema_id(name), "encoding": encoding}


def encode(name: str, row: Row, encoding: Encoding) -> bytes:
    """Encode a row of a schema: times as ms, free maps as maps in JSON and as JSON text in Avro."""
    if encoding == "avro":
        import fastavro

        body = io.BytesIO()
        fastavro.schemaless_writer(body, _plain(schema_id(name)), row)
        return body.getvalue()
    texts = _texts(name)
    return msgspec.json.encode(
        {key: msgspec.Raw(value.encode()) if key in texts else value for key, value in row.items()}
    )


def decode(body: bytes, attributes: dict[str, str]) -> tuple[str, Row]:
    """Decode a body to a name and a row of that schema as it is now; raises WireError.

    What a former schema did not have gets its default; what is not known is left out.
    """
    if len(body) > MAX_BODY:
        raise WireError("too_large", f"a body of more than {MAX_BODY} bytes")
    written = attributes.get("schema", "")
    name = written.partition(":")[0]
    if name not in schemas.NAMES:
        raise WireError("unknown_schema", "there is no schema of that name")
    match attributes.get("encoding", "json"):
        case "json":
            return name, _from_json(name, body)
        case "avro":
            return name, _from_avro(name, written, body)
        case _:
            raise WireError("unknown_schema", "its encoding is neither json nor avro")


def _from_json(name: str, body: bytes) -> Row:
    try:
        found = _decoder(name).decode(body)
    except msgspec.ValidationError as error:
        said = str(error)
        raise WireError("missing" if "missing required" in said else "invalid", said) from None
    except (ValueError, RecursionError):
        raise WireError("not_json", "it is not JSON in UTF-8") from None
    texts = _texts(name)
    values = zip(_fields(name), msgspec.structs.astuple(found), strict=True)
    return {key: _canonical(value).decode() if key in texts else value for key, value in values}


def _from_avro(name: str, written: str, body: bytes) -> Row:
    if written not in _writers():
        raise WireError("unknown_schema", f"no released schema {name} has that fingerprint")
    import fastavro

    now = schema_id(name)
    reader = None if written == now else _plain(now)
    stream = io.BytesIO(body)
    try:
        row = fastavro.schemaless_reader(stream, _plain(written), reader)
    except Exception:  # damaged bytes raise whatever they happen to hit in the decoder
        raise WireError("invalid", f"it is not Avro of the schema {name}") from None
    if stream.read(1):
        raise WireError("invalid", f"it is longer than Avro of the schema {name}")
    return cast(Row, row)


def _id(name: str, schema: Schema) -> str:
    from fastavro.schema import fingerprint, to_parsing_canonical_form

    return f"{name}:{fingerprint(to_parsing_canonical_form(schema), 'CRC-64-AVRO')}"


@cache
def _writers() -> dict[str, Schema]:
    """Map the id of each schema, as it is and as it was released, to the schema."""
    known = {schema_id(name): schemas.parsed(name) for name in schemas.NAMES}
    for version in versions():
        for name, schema in released(version).items():
            known.setdefault(_id(name, schema), schema)
    return known


@cache
def _plain(written: str) -> Schema:
    """Take the logical types off, so that times are numbers on both sides."""
    import fastavro

    schema = _writers()[written]
    fields = [{**field, "type": _untyped(field["type"])} for field in schema["fields"]]
    return cast(Schema, fastavro.parse_schema({**_bare(schema), "fields": fields}))


def _bare(schema: Schema) -> Schema:
    return {"type": "record", "name": schema["name"]}


def _untyped(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_untyped(branch) for branch in kind]
    return kind["type"] if isinstance(kind, dict) and "logicalType" in kind else kind


@cache
def _fields(name: str) -> tuple[str, ...]:
    return tuple(field["name"] for field in schemas.load(name)["fields"])


@cache
def _texts(name: str) -> frozenset[str]:
    """Name the fields that are JSON texts in Avro and JSON itself in JSON."""
    return frozenset(f["name"] for f in schemas.load(name)["fields"] if f.get("json"))


TYPES: dict[str, Any] = {
    "string": str,
    "long": Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
    "double": float,
    "boolean": bool,
    "bytes": bytes,
}


@cache
def _decoder(name: str) -> msgspec.json.Decoder[Any]:
    """Make a decoder that holds JSON against the schema."""
    fields = [_field(index, field) for index, field in enumerate(schemas.load(name)["fields"])]
    names = {f"f{index}": field for index, field in enumerate(_fields(name))}
    return msgspec.json.Decoder(
        msgspec.defstruct(f"{name}_row", fields, rename=names, kw_only=True, gc=False)
    )


def _field(index: int, field: dict[str, Any]) -> Any:
    python: Any = Any if field.get("json") else _python(field["type"])
    if "default" not in field:
        return (f"f{index}", python)
    default = field["default"]
    if field.get("json"):
        default = msgspec.json.decode(default)
    if isinstance(default, dict | list):
        return (f"f{index}", python, msgspec.field(default_factory=type(default)))
    return (f"f{index}", python, default)


def _python(kind: Any) -> Any:
    if isinstance(kind, list):
        return None | _python(kind[1])
    if isinstance(kind, dict):
        return list[str] if kind["type"] == "array" else TYPES["long"]
    return TYPES[kind]
