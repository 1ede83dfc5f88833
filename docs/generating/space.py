"""The page about a space's file."""

from __future__ import annotations

from docs.generating import markdown
from docs.generating.flow import keys
from docs.generating.flow_texts import Texts
from transforms.flows.json_schema import space_schema

SPACE: Texts = {
    "space": "The name of the space. Ids and draws contain it: another name is another world.",
    "zone": "The zone of users without a trait `timezone`, where the flow has none either (R16).",
    "slack": "How far receipts may be out of order: 0 for files, some seconds behind a broker.",
    "channels": "Ways to reach users.",
    "topics": "What messages may be about.",
    "caps": "How many messages a user gets at most, over all flows.",
    "quiet_hours": "When nothing leaves: a message waits for their end.",
    "events": "The properties of events, with their types. What is not declared is not checked.",
    "traits": "The traits of users, with their types.",
    "audiences": "Groups of users: computed, or `static`.",
    "connections": "Interfaces that flows call, each with what its requests carry.",
    "destinations": "Where exports go.",
}
CHANNEL: Texts = {"address": "The trait with the address, or `user` for the user's id."}
TOPIC: Texts = {"opt_in": "Only for users who have said yes; else for all who have not said no."}
CONNECTION: Texts = {
    "url": "An https address, which the paths of requests are added to.",
    "headers": "Headers of every request. One that names a secret holds `env:NAME`.",
    "auth": "How requests prove who sends them, see below.",
}
CAP: Texts = {
    "limit": "How many, and in which period.",
    "channel": "Only messages on this channel count; without it all.",
    "topic": "Only messages about this topic count; without it all.",
}

EXAMPLE = """
space: shop
zone: Europe/Berlin

channels:
  email: {address: email}
  log:   {address: user}

topics:
  news:  {}
  trial: {opt_in: true}

caps:
  - {limit: 2 per day}
  - {limit: 3 per 7d, channel: email, topic: news}
quiet_hours: 22:00-08:00

events:
  Order Completed: {total: number, items: list}
traits:
  email: text
  plan: text

audiences:
  regular: count(event "Order Completed" within last 90d) >= 3
  lapsed: last(event "Order Completed") more than 60d ago
  press: static

connections:
  bureau:
    url: https://api.example.com/v2
    headers: {Accept: application/json}
    auth: {bearer: env:BUREAU_TOKEN}

destinations:
  crm:       {http: /leads, connection: bureau}
  folder:    {file: exports/leads, format: jsonl}
  bucket:    {store: "gs://shop-exports/leads", format: parquet}
  partners:  {topic: leads}
  warehouse: {table: leads}
"""

CONSENT = """
A user says yes or no by a [profile record](events.md): `consent: {email: false}` for a channel,
`{news: false}` for a topic, `{"email:news": true}` for a topic on a channel. A message needs a
channel that was not refused, and a topic that was not refused (or, with `opt_in`, was chosen);
the word about a topic on a channel goes before the word about the topic. The status
`unsubscribed` of a message withdraws the consent for its topic on its channel, or, if it has no
topic, for its channel.
"""

SECRETS = """
`auth` is one of `{bearer: env:TOKEN}`, `{basic: USER, password: env:PASSWORD}`,
`{header: X-Api-Key, value: env:KEY}` and `{signed: env:SECRET}`. A secret is named, never written:
`env:NAME` is the environment variable that holds it where requests are sent. A secret that stands
in a file, in an address or in a header of a step is refused. What flows decide names the
connection and has none of its secrets.
"""

DESTINATIONS = """
The key says of which kind a destination is: `http`, a path of a `connection` or an address;
`file`, a folder, and `store`, a folder of an object store, both with a `format` (`parquet`,
`jsonl`, `csv` or `avro`); `topic` or `table`, by its name.
"""

AUDIENCES = """
A computed audience has a condition and is kept up to date, also where only time passes:
`lapsed` is entered 60 days after the last order, without an event. A static audience (`static`)
changes by records and by the steps `add_to` and `remove_from`. Records about a computed audience
are refused with the reason `computed_audience`.
"""


def page() -> str:
    """Write the page."""
    schema = space_schema()
    parts = schema["$defs"]
    return markdown.page(
        "Spaces",
        "A space is what the flows of one folder share: the file `space.yaml`. Without one, there "
        "are no channels, and every event and trait is known.",
        keys(schema, SPACE),
        markdown.block(EXAMPLE, "yaml"),
        "Types are `text`, `number`, `boolean`, `time` and `list`.",
        "## channels",
        keys(parts["channel"], CHANNEL),
        "## topics",
        keys(parts["topic"], TOPIC),
        CONSENT,
        "## caps",
        keys(parts["cap"], CAP),
        "Only messages that left count. A cap is judged in the zone of the user.",
        "## audiences",
        AUDIENCES,
        "## connections",
        keys(parts["connection"], CONNECTION),
        SECRETS,
        "## destinations",
        DESTINATIONS,
    )
