"""Values that only spaces have: prices, menus, types, audiences, secrets, places of exports."""

from __future__ import annotations

import re
from collections.abc import Callable

from transforms.flows.definitions.space import KINDS, Audience, Prices, SpaceValue
from transforms.flows.definitions.values import TRACKED
from transforms.flows.reading.forms.addresses import refusal_of_path
from transforms.flows.reading.forms.messages import track_of
from transforms.flows.reading.forms.requests import read_secret
from transforms.flows.reading.keys import Keys
from transforms.flows.reading.names import STATUS
from transforms.flows.reading.nodes import Mapping, Node, Scalar, describe, entries
from transforms.flows.reading.values import Reading
from transforms.flows.templates.sms_segments import ELSE

LONGEST_LINK = 200
ARRIVAL = "arrival"
ORDERS = ("event_time", ARRIVAL)
TYPES = ("text", "number", "boolean", "time", "list")

Pairs = tuple[tuple[str, str], ...]

_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,4})?")
_PREFIX = re.compile(r"\+?[0-9A-Za-z@.:_-]+")
_DIGITS = re.compile(r"[0-9*#]{1,8}")
_NAMED = (re.compile(r"[\w./-]+", re.ASCII), "write the name that its system knows it by")
_PLACES = {
    "file": (
        re.compile(r"(?!/)(?!.*(^|/)\.\.(/|$))[\w./{}-]+", re.ASCII),
        "write a folder of the host, as exports/leads",
    ),
    "store": (
        re.compile(r"[a-z][a-z0-9+.-]*://[^\s/]+(/\S*)?"),
        "write for example gs://bucket/folder",
    ),
    "topic": _NAMED,
    "table": _NAMED,
}
"""How the places of exports are written, with help."""


def _slack(keys: Keys, node: Node) -> int | None:
    delay = keys.reading.delay(node, most=1)
    if delay is not None and not delay.ms:
        message = f"{delay.text} is not exact"
        keys.reading.problem(node, "invalid-duration", message, "write for example 10s")
    return None if delay is None else delay.ms


def _order(keys: Keys, node: Node) -> bool | tuple[str, ...] | None:
    """Read the order of all signals, or that of events by name; return what acts on arrival."""
    if isinstance(node, Mapping):
        orders = keys.reading.by_name(node, lambda inner: keys.reading.one_of(inner, ORDERS))
        return tuple(name for name, order in orders if order == ARRIVAL)
    order = keys.reading.one_of(node, ORDERS)
    return None if order is None else order == ARRIVAL


# --- channels and agents -----------------------------------------------------------------------


def _price_list(keys: Keys, node: Node) -> Prices:
    if not isinstance(node, Mapping):
        amount = _amount(keys.reading, node)
        return () if amount is None else ((ELSE, amount),)
    prices = []
    for key, value in node.items:
        start = ELSE if key.text == "else" else key.text
        if start and not _PREFIX.fullmatch(start):
            hint = 'write for example {"+49": 0.07, else: 0.05}'
            message = f'"{key.text}" is not an address prefix'
            keys.reading.problem(key, "invalid-price", message, hint)
        amount = _amount(keys.reading, value)
        if amount is not None:
            prices.append((start, amount))
    return tuple(prices)


def _amount(reading: Reading, node: Node) -> float | None:
    if isinstance(node, Scalar) and not node.style and _AMOUNT.fullmatch(node.text):
        return float(node.text)
    hint = "write a number with at most four decimals, for example 0.075"
    reading.problem(node, "invalid-price", f"{describe(node)} is not a price", hint)
    return None


def _link_length(keys: Keys, node: Node) -> int | None:
    length = keys.reading.whole(node)
    if length is None or 10 <= length <= LONGEST_LINK:
        return length
    message = f"a shortened link has 10 to {LONGEST_LINK} characters, not {length}"
    keys.reading.problem(node, "out-of-range", message)
    return None


def _channel_tracks(keys: Keys, node: Node) -> tuple[str, ...]:
    """Read what is tracked of a channel's messages, by its kind (I31)."""
    kind = keys.node.get("kind")
    base = KINDS.get(kind.text if isinstance(kind, Scalar) else keys.name)
    tracks = TRACKED if base is None else base.tracks
    return track_of(keys.reading, node, tracks, keys.what)


def _menu(keys: Keys, node: Node) -> Pairs:
    """Read what the digits that a caller presses mean (I32)."""
    for key, value in entries(node):
        if not _DIGITS.fullmatch(key.text):
            message = f'"{key.text}" cannot be pressed on a telephone'
            hint = 'write for example {"1": confirm, "2": decline}'
            keys.reading.problem(key, "invalid-menu", message, hint)
        keys.reading.name(value, "a choice")
    return keys.reading.by_name(node, keys.reading.text)


# --- declarations ------------------------------------------------------------------------------


def _fields(keys: Keys, node: Node) -> Pairs:
    for key, _ in entries(node):
        if key.text == STATUS:
            message = "every participant has a status, which is not a field"
            keys.reading.problem(key, "reserved-name", message, "list its values under statuses")
    return _types(keys.reading, node, "fields", "names with types")


def _types(reading: Reading, node: Node, what: str, of: str = "names") -> Pairs:
    message = f"{what} is {describe(node)}, not a map of {of}"
    return reading.by_name(node, lambda inner: reading.one_of(inner, TYPES) or "any", message)


def _event_types(keys: Keys, node: Node) -> tuple[tuple[str, Pairs], ...]:
    return keys.each(
        node, lambda key, value: (key.text, _types(keys.reading, value, f'event "{key.text}"'))
    )


def _audiences(keys: Keys, node: Node) -> tuple[Audience, ...]:
    return keys.each(node, lambda key, value: _audience(keys.reading, key, value))


def _audience(reading: Reading, key: Scalar, node: Node) -> Audience:
    reading.name(key, "an audience")
    static = isinstance(node, Scalar) and node.text == "static"
    return Audience(key.text, None if static else reading.condition(node))


def _place(kind: str) -> Callable[[Keys, Node], str | None]:
    """Return the reader of a place of exports that is not on the web (L4, L10)."""
    pattern, hint = _PLACES[kind]

    def read(keys: Keys, node: Node) -> str | None:
        address = keys.reading.text(node)
        if address is not None and not pattern.fullmatch(address):
            message = f'"{address}" is not an address of a {kind}'
            keys.reading.problem(node, "invalid-address", message, hint)
        elif address is not None and (refused := refusal_of_path(address)) is not None:
            keys.reading.problem(node, "invalid-address", *refused)
        return address

    return read


def space_value(keys: Keys, node: Node, form: SpaceValue) -> object:
    """Read a value that only spaces have."""
    return READERS[form.kind](keys, node)


READERS: dict[str, Callable[[Keys, Node], object]] = {
    "slack": _slack,
    "order": _order,
    "events": _event_types,
    "traits": lambda keys, node: _types(keys.reading, node, "traits"),
    "audiences": _audiences,
    "fields": _fields,
    "prices": _price_list,
    "link": _link_length,
    "tracks": _channel_tracks,
    "menu": _menu,
    "texts": lambda keys, node: keys.reading.by_name(node, keys.reading.text),
    "secret": lambda keys, node: read_secret(keys.reading, node, f'"{keys.key_of(node)}"'),
    **{kind: _place(kind) for kind in _PLACES},
}
