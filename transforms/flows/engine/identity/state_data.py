"""Converts a state to readable data with named fields, and back without loss.

Fields with default values are omitted; bytes are base64, archived messages are decoded.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from transforms.flows.engine.working import State, open_state, stored
from transforms.flows.state.stored import Communication, Data, Part, StoredState

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Communication).decode


def to_data(state: State) -> Data:
    """Convert a state to data for JSON."""
    found: Data = _plain(stored(state))
    return found


def from_data(data: Data) -> State:
    """Convert data to a state; raise ValueError or msgspec.ValidationError if it is invalid."""
    return open_state(
        msgspec.convert(_shaped(_type_of(StoredState), data), StoredState, str_keys=True)
    )


def _plain(value: Any) -> Any:
    match value:
        case Part():
            fields = msgspec.structs.fields(value)
            values = {f.name: getattr(value, f.name) for f in fields}
            return {f.name: _plain(values[f.name]) for f in fields if values[f.name] != _default(f)}
        case msgspec.Raw():
            return _plain(_unpack(value))
        case bytes():
            return b64encode(value).decode()
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        return msgspec.NODEFAULT
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


@cache
def _type_of(kind: type[Part]) -> inspect.Type:
    return inspect.type_info(kind)


def _shaped(kind: inspect.Type, value: Any) -> Any:
    """Convert named fields to the array form of a type."""
    match kind:
        case inspect.StructType() if isinstance(value, dict):
            return _row(kind, value)
        case inspect.ListType(item_type=item) if isinstance(value, list):
            return [_shaped(item, one) for one in value]
        case inspect.DictType(value_type=item) if isinstance(value, dict):
            return {key: _shaped(item, one) for key, one in value.items()}
        case inspect.UnionType(types=types) if value is not None:
            return _shaped(types[0], value)
        case inspect.BytesType() if isinstance(value, str):
            return b64decode(value, validate=True)
        case inspect.RawType():
            packed = _shaped(_type_of(Communication), value)
            return msgspec.Raw(_pack(msgspec.convert(packed, Communication, str_keys=True)))
        case _:
            return value


def _row(kind: inspect.StructType, value: Data) -> list[Any]:
    fields = msgspec.structs.fields(kind.cls)
    if not {f.name for f in fields}.issuperset(value):
        raise ValueError(f"unknown field in {kind.cls.__name__}")
    if any(f.required and f.name not in value for f in fields):
        raise ValueError(f"missing field in {kind.cls.__name__}")
    return [
        _shaped(info.type, value[f.name]) if f.name in value else _default(f)
        for f, info in zip(fields, kind.fields, strict=True)
    ]
