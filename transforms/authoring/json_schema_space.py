"""The JSON Schema of a space's file, read off its structs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from transforms.authoring.json_schema_parts import DIALECT, PARTS, Schema, closed, map_of, ref
from transforms.flows.clock.delays import Delay
from transforms.flows.clock.windows import Window
from transforms.flows.definitions.channels import KINDS
from transforms.flows.definitions.space import (
    Agent,
    Audience,
    Auth,
    Campaign,
    Cap,
    Channel,
    Connection,
    Destination,
    Group,
    Number,
    Prices,
    Space,
    Topic,
)
from transforms.flows.definitions.steps.sends import TRACKED
from transforms.flows.definitions.values import Limit, Value
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.reading.connections import FORMATS, WITH_FORMAT

_CITED = re.compile(r"\s*\([A-Z]\d+(-[A-Z]?\d+)?(, [A-Z]\d+(-[A-Z]?\d+)?)*\)")
"""Rules that a docstring cites; they are not for readers of the schema."""

POSITIVE: Schema = {"type": "integer", "minimum": 1}

ONE_OR_MORE = {"messages", "calls"}
"""Fields that take one text or a list of them."""

SPELLINGS: dict[type[Value], dict[str, str]] = {
    Group: {"limits": "limit"},
    Space: {"name": "space"},
}
"""The keys of a file by the fields of a struct; a field that is not named here is its own key."""

_LEAVES: dict[Any, Schema] = {
    str: ref("text"),
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    Expr: ref("expression"),
    Delay: ref("duration"),
    Window: ref("window"),
    Limit: ref("limit"),
    tuple[str, ...]: {"type": "array", "items": ref("text")},
    tuple[tuple[str, str], ...]: map_of(ref("text")),
    tuple[Limit, ...]: {"type": "array", "items": ref("limit")},
    tuple[Cap, ...]: {"type": "array", "items": ref("cap")},
    tuple[Channel, ...]: map_of(ref("channel")),
    tuple[Agent, ...]: map_of(ref("agent")),
    Prices: {"anyOf": [{"type": "number"}, map_of({"type": "number"})]},
    tuple[Topic, ...]: map_of(ref("topic")),
    tuple[Audience, ...]: map_of(ref("audience")),
    tuple[Number, ...]: map_of(ref("number")),
    tuple[Group, ...]: map_of(ref("group")),
    tuple[Campaign, ...]: map_of(ref("campaign")),
    tuple[Connection, ...]: map_of(ref("connection")),
    tuple[Destination, ...]: map_of(ref("destination")),
    tuple[tuple[str, tuple[tuple[str, str], ...]], ...]: map_of(map_of(ref("type"))),
}

KIND: Schema = {"enum": list(KINDS)}
TRACK: Schema = {"type": "array", "items": {"enum": list(TRACKED)}}

SECRET: Schema = {
    "description": "A reference to a secret: the environment variable that holds it.",
    "type": "string",
    "pattern": "^env:[A-Za-z_][A-Za-z0-9_]*$",
    "examples": ["env:CRM_TOKEN"],
}


def space_schema() -> Schema:
    """Return the JSON Schema of a space's file."""
    types = map_of(ref("type"))
    changed = {"slack": ref("duration"), "traits": types}
    space = _object(Space, changed=changed)
    parts = {
        **PARTS,
        "channel": _object(
            Channel, left_out=("name", "tracks"), changed={"kind": KIND, "track": TRACK}
        ),
        "agent": _object(Agent, left_out=("name",)),
        "topic": _object(Topic, left_out=("name",)),
        "cap": _object(Cap),
        "number": {**_object(Number, left_out=("name",)), "minProperties": 1},
        "group": _object(Group, left_out=("name",), changed={"at_once": POSITIVE}),
        "campaign": _object(Campaign, left_out=("name",), changed={"fields": types}),
        "audience": {**_described(Audience), **ref("expression")},
        "secret": SECRET,
        "auth": {**_described(Auth), **_auth()},
        "connection": {**_described(Connection), **_connection()},
        "destination": {**_described(Destination), **_destination()},
    }
    return {"$schema": DIALECT, "title": "A space", **space, "$defs": parts}


def _described(struct: type[Value]) -> Schema:
    doc = (struct.__doc__ or "").split("\n\n")[0]
    return {"description": " ".join(_CITED.sub("", doc).replace("``", "`").split())}


def _object(
    struct: type[Value],
    *,
    left_out: Iterable[str] = (),
    changed: Schema | None = None,
) -> Schema:
    """Return the schema of a struct's map."""
    hints = get_type_hints(struct)
    names = SPELLINGS.get(struct, {})
    properties: Schema = {}
    needed = []
    for field in msgspec.structs.fields(struct):
        if field.name in left_out:
            continue
        key = names.get(field.name, field.name)
        given = (changed or {}).get(field.name)
        properties[key] = given or _of_type(field.name, hints[field.name])
        if field.required:
            needed.append(key)
    return {**_described(struct), **closed({**properties}, needed)}


def _of_type(name: str, hint: Any) -> Schema:
    if get_origin(hint) in (Union, UnionType) and hint not in _LEAVES:
        present = [part for part in get_args(hint) if part is not type(None)]
        if len(present) == 1:
            return _of_type(name, present[0])
    if name in ONE_OR_MORE:
        return ref("one_or_more")
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    return _LEAVES[hint]


def _auth() -> Schema:
    """Return the schema of how requests prove who sends them."""
    secret = ref("secret")
    ways = (
        closed({"bearer": secret}, ("bearer",)),
        closed({"basic": ref("text"), "password": secret}, ("basic", "password")),
        closed({"header": ref("text"), "value": secret}, ("header", "value")),
        closed({"signed": secret}, ("signed",)),
    )
    return {"anyOf": list(ways)}


def _connection() -> Schema:
    """Return the schema of a connection."""
    keys: Schema = {"url": ref("text"), "headers": map_of(ref("text")), "auth": ref("auth")}
    return closed(keys, ("url",))


def _destination() -> Schema:
    """Return the schema of a destination."""
    web = closed({"http": ref("text"), "connection": ref("text")}, ("http",))
    formats: Schema = {"format": {"enum": list(FORMATS)}}
    files = [closed({kind: ref("text"), **formats}, (kind,)) for kind in WITH_FORMAT]
    names = [closed({kind: ref("text")}, (kind,)) for kind in ("topic", "table")]
    return {"anyOf": [web, *files, *names]}
