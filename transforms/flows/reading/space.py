"""The space's file: channels, agents, topics, caps, quiet hours, declared types and audiences."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from transforms.flows.definitions.space import Audience, Campaign, Cap, Group, Space, Topic
from transforms.flows.diagnostics import Loaded, Report, Source
from transforms.flows.reading import channels
from transforms.flows.reading.connections import read_connection, read_destination
from transforms.flows.reading.keys import Keys, keys_of
from transforms.flows.reading.names import STATUS, Known, of_space
from transforms.flows.reading.nodes import Mapping, Node, Scalar, compose, describe
from transforms.flows.reading.values import Reading

T = TypeVar("T")

Types = tuple[tuple[str, str], ...]

TYPES = ("text", "number", "boolean", "time", "list")


def load_space(path: str, text: str) -> Loaded[Space]:
    """Read a space from the text of its file."""
    return load_space_partly(path, text)[1]


def load_space_partly(path: str, text: str) -> tuple[Space | None, Loaded[Space]]:
    """Read a space; return also what could be read of one with errors, to check flows with it."""
    report = Report(Source(path, text))
    node = compose(report)
    reading = Reading(report, Known())
    keys = keys_of(reading, node, "the space") if node is not None else None
    space = None if keys is None else _space(reading, keys)
    return space, report.done(space)


def _space(reading: Reading, keys: Keys) -> Space:
    declared = Space(
        name=keys.read("space", lambda node: reading.name(node, "a space")) or "default",
        zone=keys.read("zone", reading.zone) or "UTC",
        slack=keys.read("slack", lambda node: _slack(reading, node)) or 0,
        channels=_each(reading, keys.get("channels"), "channels", channels.channel),
        topics=_each(reading, keys.get("topics"), "topics", _topic),
        quiet_hours=keys.read("quiet_hours", reading.window),
        events=_each(reading, keys.get("events"), "events", _event),
        traits=_each(reading, keys.get("traits"), "traits", _type),
        groups=_each(reading, keys.get("groups"), "groups", _group),
        campaigns=_each(reading, keys.get("campaigns"), "campaigns", _campaign),
    )
    inner = Reading(reading.report, of_space(declared))
    numbers = _each(inner, keys.get("numbers"), "numbers", channels.number)
    connections = _each(reading, keys.get("connections"), "connections", read_connection)
    declared = msgspec.structs.replace(declared, numbers=numbers, connections=connections)
    inner = Reading(reading.report, of_space(declared))
    destinations = _each(inner, keys.get("destinations"), "destinations", read_destination)
    audiences = keys.get("audiences")
    names = {k.text for k, _ in audiences.items} if isinstance(audiences, Mapping) else set()
    known = msgspec.structs.replace(of_space(declared), audiences=frozenset(names))
    reading = Reading(reading.report, known)
    agents = _each(reading, keys.get("agents"), "agents", channels.agent)
    on = {agent.name: agent.channel for agent in agents}
    channels.own_agents(reading, keys.get("channels"), on)
    caps = keys.read("caps", lambda node: reading.many(node, lambda cap: _cap(reading, cap)))
    computed = _each(reading, audiences, "audiences", _audience)
    keys.close()
    return msgspec.structs.replace(
        declared, audiences=computed, caps=caps or (), agents=agents, destinations=destinations
    )


def _each(
    reading: Reading,
    node: Node | None,
    what: str,
    read: Callable[[Reading, Scalar, Node], T | None],
) -> tuple[T, ...]:
    """Read every entry of a map."""
    if node is None:
        return ()
    if not isinstance(node, Mapping):
        said = f"{what} is {describe(node)}, not a map of names"
        reading.problem(node, "wrong-kind", said)
        return ()
    made = [read(reading, key, value) for key, value in node.items]
    return tuple(value for value in made if value is not None)


def _slack(reading: Reading, node: Node) -> int | None:
    delay = reading.delay(node, most=1)
    if delay is not None and not delay.ms:
        known = "write for example 10s"
        reading.problem(node, "invalid-duration", f"{delay.text} is not exact", known)
    return None if delay is None else delay.ms


def _topic(reading: Reading, key: Scalar, node: Node) -> Topic | None:
    keys = keys_of(reading, node, f'topic "{key.text}"')
    if keys is None:
        return None
    reading.name(key, "a topic")
    opt_in = keys.flag("opt_in")
    keys.close()
    return Topic(key.text, opt_in)


def _group(reading: Reading, key: Scalar, node: Node) -> Group | None:
    keys = keys_of(reading, node, f'group "{key.text}"')
    if keys is None:
        return None
    reading.name(key, "a group")
    most = keys.read("at_once", lambda inner: reading.whole(inner, 1))
    limits = keys.read("limit", lambda inner: reading.many(inner, reading.limit)) or ()
    keys.close()
    return Group(key.text, most or (None if limits else 1), limits)


def _campaign(reading: Reading, key: Scalar, node: Node) -> Campaign | None:
    """Read a campaign of the space: the fields of its participants, and their statuses."""
    reading.name(key, "a campaign")
    keys = keys_of(reading, node, f'campaign "{key.text}"')
    if keys is None:
        return None
    typed = keys.read("fields", lambda inner: _fields_of(reading, inner)) or ()
    listed = keys.read("statuses", lambda inner: reading.many(inner, reading.text)) or ()
    keys.close()
    return Campaign(key.text, typed, tuple(dict.fromkeys(listed)))


def _fields_of(reading: Reading, node: Node) -> tuple[tuple[str, str], ...]:
    if not isinstance(node, Mapping):
        said = f"fields is {describe(node)}, not a map of names with types"
        reading.problem(node, "wrong-kind", said)
        return ()
    for key, _ in node.items:
        if key.text == STATUS:
            said = "every participant has a status, which is not a field"
            reading.problem(key, "reserved-name", said, "list its values under statuses")
    return tuple((key.text, reading.one_of(value, TYPES) or "any") for key, value in node.items)


def _event(reading: Reading, key: Scalar, node: Node) -> tuple[str, Types]:
    return key.text, _each(reading, node, f'event "{key.text}"', _type)


def _type(reading: Reading, key: Scalar, node: Node) -> tuple[str, str]:
    return key.text, reading.one_of(node, TYPES) or "any"


def _audience(reading: Reading, key: Scalar, node: Node) -> Audience | None:
    reading.name(key, "an audience")
    if isinstance(node, Scalar) and node.text == "static":
        return Audience(key.text)
    return Audience(key.text, reading.condition(node))


def _cap(reading: Reading, node: Node) -> Cap | None:
    keys = keys_of(reading, node, "a cap")
    if keys is None:
        return None
    limit = keys.need("limit", reading.limit)
    channel = keys.read("channel", lambda inner: reading.listed(inner, "channel"))
    topic = keys.read("topic", lambda inner: reading.listed(inner, "topic"))
    keys.close()
    return None if limit is None else Cap(limit, channel, topic)
