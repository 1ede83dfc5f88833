"""What the flows of one space share: frozen values, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import msgspec

from transforms.flows.clock.windows import Window
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Flaw, Records, RecordsByName, Shape, Variant
from transforms.flows.definitions.values import TRACKED, Limit, Links, Value
from transforms.flows.diagnostics import suggest
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
    """A subject of messages; with ``opt_in`` only for users who chose it.

    Messages about an ``urgent`` topic pass quiet hours and caps.
    """

    name: str
    opt_in: bool = False
    urgent: bool = False


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
    links: Links = "whole"
    tracks: tuple[str, ...] = TRACKED


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
    what is not declared is not checked. ``arrival``: the names of the events that a host handles
    when they arrive, without waiting for earlier ones (R3); True for all signals.
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
    arrival: bool | tuple[str, ...] = False


# --- forms that only spaces have ---------------------------------------------------------------


class Declared(RecordsByName, frozen=True):
    """A map of names with what a space declares under them.

    ``any_name``: a name may be any text. ``empty`` says what is wrong with an empty map and how it
    is written, if it may not be empty.
    """

    any_name: bool = False
    empty: tuple[str, str] | None = None


class OneOf(forms.Form, frozen=True):
    """A map that is one of several variants."""

    kinds: tuple[Variant, ...]
    what: str


class SpaceValue(forms.Form, frozen=True):
    """A value that only spaces have; ``kind`` names its entry in the tables of tools."""

    kind: Literal[
        "slack", "order", "events", "traits", "audiences", "fields", "prices", "link", "tracks", "menu",
        "texts", "secret", "file", "store", "topic", "table",
    ]  # fmt: skip


KINDS: dict[str, Channel] = {
    channel.name: channel
    for channel in (
        Channel("email", "email", tracks=TRACKED),
        Channel("sms", "phone", parts="gsm", tracks=("clicks",)),
        Channel("mms", "phone", tracks=("clicks",)),
        Channel("push", "push_token", tracks=TRACKED),
        Channel("in_app", "user", tracks=TRACKED),
        Channel("voice", "phone", tracks=()),
        Channel("whatsapp", "phone", tracks=TRACKED),
        Channel("telegram", "telegram", tracks=TRACKED),
        Channel("viber", "phone", tracks=TRACKED),
        Channel("messenger", "messenger", tracks=TRACKED),
        Channel("line", "line", tracks=TRACKED),
        Channel("web", "user", tracks=TRACKED),
    )
}
"""The known kinds of channels by name. A space says only what differs from its kind."""


def _channel(values: dict[str, Any]) -> Channel:
    """Make a channel of what differs from its kind."""
    name = values["name"]
    base = KINDS.get(values.get("kind", name)) or Channel(name)
    changes: dict[str, Any] = {**values, "track": tuple(dict.fromkeys(values.get("track", ())))}
    return msgspec.structs.replace(base, **changes)


def _has_an_address(channel: Channel) -> Iterator[Flaw]:
    if not channel.address:
        message = f'channel "{channel.name}" has no address and is not a known channel'
        near = suggest(channel.name, KINDS)
        hint = "name the trait: address: <trait>, or kind: <kind>"
        yield Flaw((), "missing-key", message, near if near.startswith("did") else hint)


def _group(values: dict[str, Any]) -> Group:
    """Make a group: one flow at once, or any number if entries are limited."""
    return Group(**{"at_once": None if values.get("limits") else 1, **values})


def _campaign(values: dict[str, Any]) -> Campaign:
    statuses = tuple(dict.fromkeys(values.get("statuses", ())))
    return Campaign(**{**values, "statuses": statuses})


def _auth(how: str, secret: str = "", name: str = "") -> Variant:
    named = (Field(how, forms.Text(), name="name", needed=True),) if name else ()
    fields = (*named, Field(secret or how, SpaceValue("secret"), name="secret", needed=True))
    return Variant(struct=Auth, fixed=(("how", how),), fields=fields)


def _destination(kind: str, address: forms.Form, *fields: Field) -> Variant:
    at = Field(kind, address, name="address", needed=True)
    return Variant(struct=Destination, fixed=(("kind", kind),), fields=(at, *fields))


_FORMAT = Field("format", forms.Choice(("parquet", "jsonl", "csv", "avro")))
_CHANNELS = forms.OneOrMore(forms.Listed("channel"))

# fmt: off
CHANNEL = Shape(
    struct=Channel, build=_channel, checks=(_has_an_address,),
    fields=(
        Field("address", forms.Text()),
        Field("kind", forms.Choice(tuple(KINDS))),
        Field("price", SpaceValue("prices")),
        Field("parts", forms.Choice(("one", "gsm"))),
        Field("link", SpaceValue("link")),
        Field("agent", forms.Text()),
        Field("track", SpaceValue("tracks")),
        Field("links", forms.Choice(get_args(Links))),
    ),
)
TOPIC = Shape(struct=Topic, fields=(Field("opt_in", forms.Flag()), Field("urgent", forms.Flag())))
CAP = Shape(
    struct=Cap,
    fields=(
        Field("limit", forms.Limit(), needed=True),
        Field("channel", forms.Listed("channel")),
        Field("topic", forms.Listed("topic")),
    ),
)
AGENT = Shape(
    struct=Agent,
    fields=(
        Field("channel", forms.Listed("channel"), needed=True),
        Field("sender", forms.Text()),
        Field("scenario", forms.Text()),
        Field("menu", SpaceValue("menu")),
        Field("settings", SpaceValue("texts")),
    ),
)
NUMBER = Shape(
    struct=Number, fields=(Field("messages", _CHANNELS), Field("calls", _CHANNELS))
)
GROUP = Shape(
    struct=Group, build=_group,
    fields=(
        Field("at_once", forms.Whole(1)),
        Field("limit", forms.ListOf(forms.Limit()), name="limits"),
    ),
)
CAMPAIGN = Shape(
    struct=Campaign, build=_campaign,
    fields=(
        Field("fields", SpaceValue("fields")),
        Field("statuses", forms.ListOf(forms.Text())),
    ),
)
AUTHS = (
    _auth("bearer"), _auth("basic", "password", "user"), _auth("header", "value", "header"),
    _auth("signed"),
)
CONNECTION = Shape(
    struct=Connection,
    fields=(
        Field("url", forms.Address("write an https:// address"), needed=True),
        Field("headers", forms.Headers(secrets=True)),
        Field("auth", OneOf(AUTHS, "auth")),
    ),
)
DESTINATIONS = (
    _destination("http", forms.Address(), Field("connection", forms.Listed("connection"))),
    _destination("file", SpaceValue("file"), _FORMAT),
    _destination("store", SpaceValue("store"), _FORMAT),
    _destination("topic", SpaceValue("topic")),
    _destination("table", SpaceValue("table")),
)
SPACE = Shape(
    struct=Space,
    fields=(
        Field("space", forms.Name("a space"), name="name"),
        Field("zone", forms.Zone()),
        Field("slack", SpaceValue("slack")),
        Field("order", SpaceValue("order"), name="arrival"),
        Field("channels", Declared((CHANNEL,), "a channel")),
        Field("topics", Declared((TOPIC,), "a topic")),
        Field("caps", Records(CAP, "a cap", least=0)),
        Field("quiet_hours", forms.Window()),
        Field("events", SpaceValue("events")),
        Field("traits", SpaceValue("traits")),
        Field("audiences", SpaceValue("audiences")),
        Field("agents", Declared((AGENT,), "an agent")),
        Field("numbers", Declared((NUMBER,), "a number", any_name=True,
            empty=("takes neither messages nor calls", "write for example {messages: sms}"))),
        Field("groups", Declared((GROUP,), "a group")),
        Field("campaigns", Declared((CAMPAIGN,), "a campaign")),
        Field("connections", Declared((CONNECTION,), "a connection")),
        Field("destinations", Declared(DESTINATIONS, "a destination")),
    ),
)
"""A space's file. A section refers only to those before it; an audience to every other one."""
# fmt: on
