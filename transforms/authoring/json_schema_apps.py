"""The JSON Schemas of a space's connections and destinations: each kind has its own key."""

from __future__ import annotations

from transforms.authoring.json_schema_parts import Schema, closed, map_of, ref
from transforms.flows.reading.connections import FORMATS, WITH_FORMAT

SECRET: Schema = {
    "description": "A reference to a secret: the environment variable that holds it.",
    "type": "string",
    "pattern": "^env:[A-Za-z_][A-Za-z0-9_]*$",
    "examples": ["env:CRM_TOKEN"],
}


def auth() -> Schema:
    """Give the schema of how requests prove who sends them."""
    secret = ref("secret")
    ways = (
        closed({"bearer": secret}, ("bearer",)),
        closed({"basic": ref("text"), "password": secret}, ("basic", "password")),
        closed({"header": ref("text"), "value": secret}, ("header", "value")),
        closed({"signed": secret}, ("signed",)),
    )
    return {"anyOf": list(ways)}


def connection() -> Schema:
    """Give the schema of a connection."""
    keys: Schema = {"url": ref("text"), "headers": map_of(ref("text")), "auth": ref("auth")}
    return closed(keys, ("url",))


def destination() -> Schema:
    """Give the schema of a destination."""
    web = closed({"http": ref("text"), "connection": ref("text")}, ("http",))
    formats: Schema = {"format": {"enum": list(FORMATS)}}
    files = [closed({kind: ref("text"), **formats}, (kind,)) for kind in WITH_FORMAT]
    names = [closed({kind: ref("text")}, (kind,)) for kind in ("topic", "table")]
    return {"anyOf": [web, *files, *names]}
