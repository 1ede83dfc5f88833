"""Parts of requests: addresses, headers, references to secrets, and what is kept of an answer.

No step holds a secret: a connection of the space refers to it by ``env:NAME`` (J9).
"""

from __future__ import annotations

import re

from transforms.flows.definitions.forms import Address
from transforms.flows.reading.forms.addresses import refusal_of_address, refusal_of_path
from transforms.flows.reading.keys import Keys
from transforms.flows.reading.nodes import Mapping, Node, describe, entries, text_of
from transforms.flows.reading.secret_values import (
    HEADER,
    REFERENCE,
    SECRET_IN_ADDRESS,
    SECRET_NAME,
    hidden_in_address,
)
from transforms.flows.reading.values import NAME, Reading

STATUS = "status"
"""What every answer has: the HTTP status."""

_HTTPS = re.compile(r"https://[^\s/?#]+\S*")
_PATH = re.compile(r"/(?!/)\S*")
_JSON_PATH = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*|\[\d{1,4}\])*", re.ASCII)
Headers = tuple[tuple[str, str], ...]


def address(keys: Keys, node: Node, form: Address) -> str | None:
    """Read the address of a request: a path if the map names a connection.

    A connection's secrets go to its own address only, so no other one may stand beside it.
    """
    reading, url = keys.reading, keys.reading.text(node)
    if url is None:
        return None
    shown = hidden_in_address(url)
    if "connection" in keys:
        hint = "write a path that begins with /"
        why = f'"{shown}" is not a path of the connection, which has the address'
        refused = refusal_of_path(url) if _PATH.fullmatch(url) else (why, hint)
    elif _HTTPS.fullmatch(url):
        refused = refusal_of_address(url)
    else:
        refused = f'"{shown}" is not an https address', form.hint
    if refused is not None:
        reading.problem(node, "invalid-address", *refused)
    if (secret := SECRET_IN_ADDRESS.search(url)) is not None:
        what = f'"{secret[1]}"' if secret[1] else "a user or password"
        hint = "put secrets into a connection of the space, as env:NAME"
        reading.problem(node, "secret-in-address", f"the address holds {what}", hint)
    return url


def headers(reading: Reading, node: Node, secrets: bool) -> Headers:
    """Read headers; where ``secrets`` are allowed they are references, ``env:NAME``."""
    for key, value in entries(node):
        text = text_of(value)
        if not HEADER.fullmatch(key.text) or not text.isprintable():
            hint = "names are letters, digits and -, values are on one line"
            reading.problem(key, "invalid-header", f'"{key.text}" is not a header', hint)
        elif not secrets and (SECRET_NAME.search(key.text) or REFERENCE.fullmatch(text)):
            hint = "put it into a connection of the space, as env:NAME"
            message = f'header "{key.text}" holds a secret, which a step must not'
            reading.problem(key, "plain-secret", message, hint)
        elif secrets and SECRET_NAME.search(key.text):
            read_secret(reading, value, f'header "{key.text}"')
    wrong = f"{describe(node)} where a map of headers is expected"
    return reading.by_name(node, reading.text, wrong)


def read_secret(reading: Reading, node: Node, what: str) -> str | None:
    """Read ``env:NAME``; the secret itself is refused, and not repeated."""
    text = reading.text(node)
    if text is None or REFERENCE.fullmatch(text):
        return text
    hint = "write env:NAME, the environment variable that holds it where requests are sent"
    reading.problem(node, "plain-secret", f"{what} holds a secret, which belongs in no file", hint)
    return None


def stored(reading: Reading, node: Node) -> tuple[tuple[str, str], ...]:
    """Read names with paths in the JSON of an answer."""
    if not isinstance(node, Mapping):
        reading.problem(node, "wrong-kind", f"{describe(node)} where a map of names is expected")
        return ()
    paths = []
    for key, value in node.items:
        path = reading.text(value)
        if key.text == STATUS or not NAME.fullmatch(key.text):
            why = "the HTTP status has it already" if key.text == STATUS else "write small letters"
            reading.problem(key, "invalid-name", f'"{key.text}" is not a name to store under', why)
        elif path is not None and not _JSON_PATH.fullmatch(path):
            hint = "write for example customer.limits[0].amount"
            reading.problem(value, "invalid-path", f'"{path}" is not a JSON path', hint)
        elif path is not None:
            paths.append((key.text, path))
    return tuple(paths)
