"""Connections and destinations of a space: where requests and exports go (J9, J14, L4, L10)."""

from __future__ import annotations

import re

from transforms.flows.definitions.space import Auth, Connection, Destination
from transforms.flows.diagnostics import quoted
from transforms.flows.reading.forms.requests import check_address, read_headers, read_secret
from transforms.flows.reading.keys import Keys, keys_of
from transforms.flows.reading.nodes import Node, Scalar
from transforms.flows.reading.values import Reading

AUTHS = ("bearer", "basic", "header", "signed")
KINDS = ("http", "file", "store", "topic", "table")
FORMATS = ("parquet", "jsonl", "csv", "avro")
WITH_FORMAT = ("file", "store")

_FOLDER = re.compile(r"(?!/)(?!.*(^|/)\.\.(/|$))[\w./{}-]+", re.ASCII)
_STORE = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/]+(/\S*)?")
_PLACE = re.compile(r"[\w./-]+", re.ASCII)


def read_connection(reading: Reading, key: Scalar, node: Node) -> Connection | None:
    """Read where an interface is, and what its requests carry."""
    keys = keys_of(reading, node, f'connection "{key.text}"')
    if keys is None:
        return None
    reading.name(key, "a connection")
    url = keys.need("url", reading.text)
    at = keys.get("url")
    if url is not None and at is not None:
        check_address(reading, at, url, within=False, known="write an https:// address")
    headers = keys.read("headers", lambda inner: read_headers(reading, inner, secrets=True))
    auth = keys.read("auth", lambda inner: _auth(reading, inner))
    keys.close()
    return Connection(key.text, url or "", headers or (), auth)


def _auth(reading: Reading, node: Node) -> Auth | None:
    keys = keys_of(reading, node, "auth")
    if keys is None:
        return None
    kind = _one(reading, keys, AUTHS)
    auth = None if kind is None else _auth_of(reading, keys, kind)
    keys.close()
    return auth


def _auth_of(reading: Reading, keys: Keys, kind: str) -> Auth | None:
    named = {"basic": "password", "header": "value"}.get(kind)
    name = None if named is None else keys.need(kind, reading.text)
    key = named or kind
    secret = keys.need(key, lambda inner: read_secret(reading, inner, f'"{key}"'))
    return None if secret is None else Auth(kind, secret, name)  # type: ignore[arg-type]


def read_destination(reading: Reading, key: Scalar, node: Node) -> Destination | None:
    """Read where the records of a destination go: its kind is the key of its address."""
    keys = keys_of(reading, node, f'destination "{key.text}"')
    if keys is None:
        return None
    reading.name(key, "a destination")
    kind = _one(reading, keys, KINDS)
    address = None if kind is None else keys.read(kind, reading.text)
    connection = (
        keys.read("connection", lambda inner: reading.listed(inner, "connection"))
        if kind == "http"
        else None
    )
    formats = (
        keys.read("format", lambda n: reading.one_of(n, FORMATS)) if kind in WITH_FORMAT else None
    )
    if kind is not None and address is not None:
        _check(reading, keys, kind, address)
    keys.close()
    if kind is None or address is None:
        return None
    return Destination(key.text, kind, address, connection, formats)  # type: ignore[arg-type]


def _one(reading: Reading, keys: Keys, kinds: tuple[str, ...]) -> str | None:
    """Find the one key that says of which kind something is."""
    present = [kind for kind in kinds if kind in keys]
    if len(present) == 1:
        return present[0]
    for kind in present:
        keys.get(kind)
    said = f"{keys.what} {'has several' if present else 'needs one'} of {quoted(kinds)}"
    reading.problem(keys.lead, "two-kinds" if present else "missing-key", said)
    return None


def _check(reading: Reading, keys: Keys, kind: str, address: str) -> None:
    node = keys.get(kind)
    assert node is not None
    match kind:
        case "http":
            check_address(reading, node, address, within="connection" in keys)
            return
        case "file":
            fine, known = _FOLDER.fullmatch(address), "write a folder of the host, as exports/leads"
        case "store":
            fine, known = _STORE.fullmatch(address), "write for example gs://bucket/folder"
        case _:
            fine, known = _PLACE.fullmatch(address), "write the name that its system knows it by"
    if not fine:
        reading.problem(
            node, "invalid-address", f'"{address}" is not an address of a {kind}', known
        )
