"""Channels, agents and numbers of a space (C15, I25, I26)."""

from __future__ import annotations

import re
from typing import get_args

import msgspec

from transforms.flows.definitions.channels import KINDS
from transforms.flows.definitions.space import Agent, Channel, Number, Prices
from transforms.flows.definitions.steps.sends import Links
from transforms.flows.diagnostics import suggest
from transforms.flows.reading.forms.messages import check_agent, track_of
from transforms.flows.reading.keys import keys_of
from transforms.flows.reading.nodes import Mapping, Node, Scalar, Sequence, describe
from transforms.flows.reading.values import Reading
from transforms.flows.templates.sms_segments import ELSE

LONGEST_LINK = 200

_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,4})?")
_PREFIX = re.compile(r"\+?[0-9A-Za-z@.:_-]+")
_DIGITS = re.compile(r"[0-9*#]{1,8}")

Pairs = tuple[tuple[str, str], ...]


def channel(reading: Reading, key: Scalar, node: Node) -> Channel | None:
    """Read a channel: what differs from its kind, or its address where it has none."""
    keys = keys_of(reading, node, f'channel "{key.text}"')
    if keys is None:
        return None
    reading.name(key, "a channel")
    said = keys.read("kind", lambda inner: reading.one_of(inner, KINDS))
    kind = KINDS.get(said or key.text)
    address = keys.read("address", reading.text)
    if kind is None and address is None and "address" not in keys:
        _unknown(reading, key)
    base, what = kind or Channel(key.text), f'channel "{key.text}"'
    made = msgspec.structs.replace(
        base,
        name=key.text,
        kind=said,
        address=address or base.address,
        price=keys.read("price", lambda inner: _prices(reading, inner)) or (),
        parts=keys.read("parts", lambda inner: reading.one_of(inner, ("one", "gsm"))) or base.parts,
        link=keys.read("link", lambda inner: _length(reading, inner)) or base.link,
        agent=keys.read("agent", reading.text),
        track=keys.read("track", lambda n: track_of(reading, n, base.tracks, what)) or (),
        links=keys.read("links", lambda inner: reading.one_of(inner, get_args(Links))) or "whole",
    )
    keys.close()
    return made


def _unknown(reading: Reading, key: Scalar) -> None:
    said = f'channel "{key.text}" has no address and is not a known channel'
    near = suggest(key.text, KINDS)
    known = near if near.startswith("did") else "name the trait: address: <trait>, or kind: <kind>"
    reading.problem(key, "missing-key", said, known)


def _prices(reading: Reading, node: Node) -> Prices:
    """Read a price, or a map from the beginnings of addresses to prices."""
    if not isinstance(node, Mapping):
        amount = _amount(reading, node)
        return () if amount is None else ((ELSE, amount),)
    prices = []
    for key, value in node.items:
        start = ELSE if key.text == "else" else key.text
        if start and not _PREFIX.fullmatch(start):
            known = 'write for example {"+49": 0.07, else: 0.05}'
            said = f'"{key.text}" is not an address prefix'
            reading.problem(key, "invalid-price", said, known)
        amount = _amount(reading, value)
        if amount is not None:
            prices.append((start, amount))
    return tuple(prices)


def _amount(reading: Reading, node: Node) -> float | None:
    if isinstance(node, Scalar) and not node.style and _AMOUNT.fullmatch(node.text):
        return float(node.text)
    known = "write a number with at most four decimals, for example 0.075"
    reading.problem(node, "invalid-price", f"{describe(node)} is not a price", known)
    return None


def _length(reading: Reading, node: Node) -> int | None:
    length = reading.whole(node)
    if length is None or 10 <= length <= LONGEST_LINK:
        return length
    said = f"a shortened link has 10 to {LONGEST_LINK} characters, not {length}"
    reading.problem(node, "out-of-range", said)
    return None


def agent(reading: Reading, key: Scalar, node: Node) -> Agent | None:
    """Read an agent: the sender that is configured for a channel."""
    keys = keys_of(reading, node, f'agent "{key.text}"')
    if keys is None:
        return None
    reading.name(key, "an agent")
    on = keys.need("channel", lambda inner: reading.listed(inner, "channel"))
    sender = keys.read("sender", reading.text)
    scenario = keys.read("scenario", reading.text)
    menu = keys.read("menu", lambda inner: _menu(reading, inner)) or ()
    settings = keys.read("settings", lambda inner: _texts(reading, inner)) or ()
    keys.close()
    return None if on is None else Agent(key.text, on, sender, scenario, menu, settings)


def _menu(reading: Reading, node: Node) -> Pairs:
    for key, value in node.items if isinstance(node, Mapping) else ():
        if not _DIGITS.fullmatch(key.text):
            said = f'"{key.text}" cannot be pressed on a telephone'
            reading.problem(
                key, "invalid-menu", said, 'write for example {"1": confirm, "2": decline}'
            )
        reading.name(value, "a choice")
    return _texts(reading, node)


def _texts(reading: Reading, node: Node) -> Pairs:
    if not isinstance(node, Mapping):
        said = f"{describe(node)} where a map of names is expected"
        reading.problem(node, "wrong-kind", said)
        return ()
    read = [(key.text, reading.text(value)) for key, value in node.items]
    return tuple((name, value) for name, value in read if value is not None)


def own_agents(reading: Reading, node: Node | None, agents: dict[str, str]) -> None:
    """Report channels whose own agent is not there, or is one of another channel."""
    for key, value in node.items if isinstance(node, Mapping) else ():
        name = value.get("agent") if isinstance(value, Mapping) else None
        if isinstance(name, Scalar):
            check_agent(reading, name, agents, (key.text,))


def number(reading: Reading, key: Scalar, node: Node) -> Number | None:
    """Read a number, or a sender's name, with the channels of its messages and calls."""
    keys = keys_of(reading, node, f'number "{key.text}"')
    if keys is None:
        return None
    messages = keys.read("messages", lambda inner: _channel_or_list(reading, inner)) or ()
    calls = keys.read("calls", lambda inner: _channel_or_list(reading, inner)) or ()
    if not keys.node.items:
        known = "write for example {messages: sms}"
        reading.problem(key, "missing-key", f"{keys.what} takes neither messages nor calls", known)
    keys.close()
    return Number(key.text, messages, calls)


def _channel_or_list(reading: Reading, node: Node) -> tuple[str, ...]:
    """Read one channel or a list of them."""
    if isinstance(node, Sequence):
        return reading.many(node, lambda inner: reading.listed(inner, "channel"))
    channel = reading.listed(node, "channel")
    return () if channel is None else (channel,)
