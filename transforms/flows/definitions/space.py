"""What the flows of one space share: frozen values, no behaviour."""

from __future__ import annotations

from typing import Literal

from transforms.flows.clock.windows import Window
from transforms.flows.definitions.values import Limit, Value
from transforms.flows.expressions.syntax.ast import Expr


class Audience(Value, frozen=True, gc=False, tag="audience_definition"):
    """A named audience: computed where it has a condition (R18), else static."""

    name: str
    when: Expr | None = None


class Template(Value, frozen=True, gc=False, tag="template"):
    """A message template: its fields' Liquid sources and the paths that they read.

    ``version`` is a hash of the text. ``reads`` holds paths such as ``("user", "name")``.
    """

    name: str
    version: str
    fields: tuple[tuple[str, str], ...]
    reads: tuple[tuple[str, ...], ...]


class Cap(Value, frozen=True, gc=False, tag="cap"):
    """At most ``limit`` messages to a user over all flows, by channel and topic if named (R14)."""

    limit: Limit
    channel: str | None = None
    topic: str | None = None


class Topic(Value, frozen=True, gc=False, tag="topic"):
    """A subject of messages; with ``opt_in`` only for users who chose it."""

    name: str
    opt_in: bool = False


Prices = tuple[tuple[str, float], ...]
"""The price of a part by the beginning of the address; the empty one is that of all others."""


class Channel(Value, frozen=True, gc=False, tag="channel"):
    """A channel by which users are reached: ``address`` names the trait, or ``user`` for the user id.

    ``kind`` names the known kind that it is one of. ``price`` is what a part costs, ``parts`` how
    they are counted, ``link`` the number of characters of a shortened link. ``agent``, ``track`` and
    ``links`` are the defaults of send steps; ``tracks`` is what can be tracked at all (I31).
    """

    name: str
    address: str = ""
    kind: str | None = None
    price: Prices = ()
    parts: Literal["one", "gsm"] = "one"
    link: int = 25
    agent: str | None = None
    track: tuple[str, ...] = ()
    links: Literal["short", "whole"] = "whole"
    tracks: tuple[str, ...] = ("opens", "clicks")


class Agent(Value, frozen=True, gc=False, tag="agent"):
    """A configured sender on a channel: a mailbox, a number, a bot, a voice scenario (C15).

    ``menu`` says what digits mean that a caller presses; ``settings`` are for the worker.
    """

    name: str
    channel: str
    sender: str | None = None
    scenario: str | None = None
    menu: tuple[tuple[str, str], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


class Number(Value, frozen=True, gc=False, tag="number"):
    """A number or a sender's name, and the channels on which it takes messages and calls."""

    name: str
    messages: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


class Group(Value, frozen=True, gc=False, tag="group"):
    """Flows that compete for a user: in how many at once, and how many entries (P15)."""

    name: str
    at_once: int | None = 1
    limits: tuple[Limit, ...] = ()


class Campaign(Value, frozen=True, gc=False, tag="campaign"):
    """Flows that share participants: the fields of these with their types, and their statuses.

    What is not declared is not checked. A new participant has the first status (C3).
    """

    name: str
    fields: tuple[tuple[str, str], ...] = ()
    statuses: tuple[str, ...] = ()


class Auth(Value, frozen=True, gc=False, tag="auth"):
    """How requests are authenticated; ``secret`` is a reference, ``env:NAME``, never a secret.

    ``name`` is the user of ``basic``, or the header that holds the secret.
    """

    how: Literal["bearer", "basic", "header", "signed"]
    secret: str
    name: str | None = None


class Connection(Value, frozen=True, gc=False, tag="connection"):
    """An interface that flows call: its address, and the headers of every request (J9, J14)."""

    name: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    auth: Auth | None = None


class Destination(Value, frozen=True, gc=False, tag="destination"):
    """Where exports go (L4, L10): a path of a connection, or of files or objects, a topic, a table."""

    name: str
    kind: Literal["http", "file", "store", "topic", "table"]
    address: str
    connection: str | None = None
    format: str | None = None


class Space(Value, frozen=True, gc=False, tag="space"):
    """One workspace: what its flows share.

    ``events`` and ``traits`` declare types by name (``text number boolean time list``);
    what is not declared is not checked.
    """

    name: str = "default"
    zone: str = "UTC"
    slack: int = 0
    channels: tuple[Channel, ...] = ()
    topics: tuple[Topic, ...] = ()
    caps: tuple[Cap, ...] = ()
    quiet_hours: Window | None = None
    events: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    traits: tuple[tuple[str, str], ...] = ()
    audiences: tuple[Audience, ...] = ()
    agents: tuple[Agent, ...] = ()
    numbers: tuple[Number, ...] = ()
    groups: tuple[Group, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    connections: tuple[Connection, ...] = ()
    destinations: tuple[Destination, ...] = ()
