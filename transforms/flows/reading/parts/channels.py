"""Channels and agents of a space, and what a send step says of them (C15, I25, I26, I31)."""

from __future__ import annotations

import re
from typing import get_args

import msgspec

from transforms.flows.definitions import forms
from transforms.flows.definitions.channels import KINDS
from transforms.flows.definitions.space import Agent, Channel, Prices
from transforms.flows.definitions.steps.sends import TRACKED, Links
from transforms.flows.diagnostics import quoted, suggest
from transforms.flows.reading.fields import Fields, fields
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
    found = fields(reading, node, f'channel "{key.text}"')
    if found is None:
        return None
    reading.name(key, "a channel")
    said = found.read("kind", lambda inner: reading.one_of(inner, KINDS))
    kind = KINDS.get(said or key.text)
    address = found.read("address", reading.text)
    if kind is None and address is None and "address" not in found:
        _unknown(reading, key)
    base, what = kind or Channel(key.text), f'channel "{key.text}"'
    made = msgspec.structs.replace(
        base,
        name=key.text,
        kind=said,
        address=address or base.address,
        price=found.read("price", lambda inner: _prices(reading, inner)) or (),
        parts=found.read("parts", lambda inner: reading.one_of(inner, ("one", "gsm")))
        or base.parts,
        link=found.read("link", lambda inner: _length(reading, inner)) or base.link,
        agent=found.read("agent", reading.text),
        track=found.read("track", lambda n: _tracked(reading, n, base.tracks, what)) or (),
        links=found.read("links", lambda inner: reading.one_of(inner, get_args(Links))) or "whole",
    )
    found.close()
    return made


def _unknown(reading: Reading, key: Scalar) -> None:
    said = f'channel "{key.text}" has no address, and is no channel that is known'
    near = suggest(key.text, KINDS)
    known = near if near.startswith("did") else "name the trait: address: <trait>, or kind: <kind>"
    reading.problem(key, "missing-key", said, known)


def _prices(reading: Reading, node: Node) -> Prices:
    """Read a price, or a map from the beginnings of addresses to prices."""
    if not isinstance(node, Mapping):
        amount = _amount(reading, node)
        return () if amount is None else ((ELSE, amount),)
    found = []
    for key, value in node.items:
        start = ELSE if key.text == "else" else key.text
        if start and not _PREFIX.fullmatch(start):
            known = 'write for example {"+49": 0.07, else: 0.05}'
            said = f'"{key.text}" is not the beginning of an address'
            reading.problem(key, "invalid-price", said, known)
        amount = _amount(reading, value)
        if amount is not None:
            found.append((start, amount))
    return tuple(found)


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


def _tracked(reading: Reading, node: Node, tracks: tuple[str, ...], what: str) -> tuple[str, ...]:
    """Read a list of what is tracked, all of which the channel can report."""
    read = reading.many(node, lambda inner: reading.one_of(inner, TRACKED))
    for item in node.items if isinstance(node, Sequence) else ():
        text = item.text if isinstance(item, Scalar) else ""
        if text in TRACKED and text not in tracks:
            known = f"it can report {quoted(tracks)}" if tracks else "leave it out"
            reading.problem(item, "cannot-track", f"{what} cannot report {text}", known)
    return tuple(dict.fromkeys(read))


def agent(reading: Reading, key: Scalar, node: Node) -> Agent | None:
    """Read an agent: the sender that is configured for a channel."""
    found = fields(reading, node, f'agent "{key.text}"')
    if found is None:
        return None
    reading.name(key, "an agent")
    on = found.need("channel", lambda inner: reading.listed(inner, "channel"))
    sender = found.read("sender", reading.text)
    scenario = found.read("scenario", reading.text)
    menu = found.read("menu", lambda inner: _menu(reading, inner)) or ()
    settings = found.read("settings", lambda inner: _texts(reading, inner)) or ()
    found.close()
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
            _check(reading, name, agents, (key.text,))


def _check(
    reading: Reading, node: Scalar, agents: dict[str, str], channels: tuple[str, ...]
) -> str | None:
    """Return the channel of an agent, if it is one of these channels."""
    on = agents.get(node.text)
    fitting = [name for name, of in agents.items() if of in channels]
    if on is None:
        known = suggest(node.text, agents) or "add it to agents in space.yaml"
        reading.problem(node, "unknown-agent", f'there is no agent "{node.text}"', known)
    elif on not in channels:
        said = f'agent "{node.text}" sends by {on}, not by {" or ".join(channels)}'
        known = f"name one of {quoted(fitting)}" if fitting else ""
        reading.problem(node, "agent-of-another-channel", said, known)
        return None
    return on


def agents(found: Fields, node: Node, form: forms.Agents) -> Pairs:
    """Read who sends: one agent, or a list of one for each of the channels at most (C15)."""
    reading, on_channels = found.reading, _channels_of(found, form.channel, form.failover)
    made: dict[str, str] = {}
    for item in node.items if isinstance(node, Sequence) else (node,):
        name = reading.text(item)
        if name is None or not isinstance(item, Scalar):
            continue
        on = _check(reading, item, reading.known.agents, on_channels)
        if on is not None and on in made:
            said = f'agents "{made[on]}" and "{name}" both send by {on}'
            reading.problem(item, "two-agents", said, "name one agent for each channel")
        elif on is not None:
            made[on] = name
    return tuple(made.items())


def tracked(found: Fields, node: Node, form: forms.Tracked) -> tuple[str, ...]:
    """Read what is tracked of a step's messages (I31)."""
    able, on_channels = found.reading.known.tracks, _channels_of(found, form.channel, form.failover)
    tracks = tuple(dict.fromkeys(t for name in on_channels for t in able.get(name, ())))
    if on_channels[0] not in able:
        tracks = TRACKED
    return _tracked(found.reading, node, tracks, f"a message by {' or '.join(on_channels)}")


def _channels_of(found: Fields, channel: str, failover: str) -> tuple[str, ...]:
    """Return the names at the keys of a step's channels, the first of which may be empty."""
    first, others = found.node.get(channel), found.node.get(failover)
    items = others.items if isinstance(others, Sequence) else ()
    names = [node.text for node in items if isinstance(node, Scalar) and node.text.strip()]
    return (first.text if isinstance(first, Scalar) else "", *names)
