"""The page about a space's file."""

from __future__ import annotations

from docs.generating import markdown
from docs.generating.flow import keys
from transforms.authoring.json_schema import space_schema
from transforms.flows.definitions.space import KINDS

SPACE: dict[str, str] = {
    "space": "The name of the space. Ids and random assignments depend on it: renaming changes all of them.",
    "zone": "The time zone of users without a trait `timezone`, if the flow has no `zone`.",
    "slack": "The allowed lateness: how far records may arrive out of order. 0 for files, some seconds for a broker.",
    "order": "The order in which a streaming job handles the signals of a user: `event_time` (the "
    "default) waits until all that is out of order by at most `slack` has arrived; `arrival` waits "
    "for nothing. A map sets it for events by name: `{Page Viewed: arrival}`. See "
    "[what it costs](../explanation/streaming.md#order-within-the-allowed-lateness).",
    "channels": "Ways to reach users.",
    "agents": "Configured senders on these channels.",
    "topics": "Subjects of messages to which users can consent.",
    "caps": "Frequency caps: the maximum number of messages per user, over all flows.",
    "quiet_hours": "Hours in which nothing is sent: messages wait for their end.",
    "events": "The properties of events, with their types. Undeclared events are not checked.",
    "traits": "The traits of users, with their types.",
    "audiences": "Named sets of users: computed or `static`.",
    "numbers": "Phone numbers and sender names that users write to or call. Flows can use only these.",
    "groups": "Groups of flows that compete for a user.",
    "campaigns": "Groups of flows that share participants, with the fields of these participants.",
    "connections": "HTTP APIs that flows call, with headers and authentication.",
    "destinations": "Where exports go.",
}
GROUP: dict[str, str] = {
    "at_once": "The maximum number of its flows that a user can be in at a time. Default: one, or "
    "any number if there is a `limit`.",
    "limit": "The maximum number of entries of a user per period, over all of its flows.",
}
NUMBER: dict[str, str] = {
    "messages": "The channel of incoming messages, or a list of channels.",
    "calls": "The channel of incoming calls, or a list of channels.",
}
CHANNEL: dict[str, str] = {
    "kind": "The known kind of the channel, if its name is different.",
    "address": "The trait with the address, or `user` for the user's id. Known kinds have one.",
    "price": "The price of a part: a number, or numbers by address prefix, such as "
    '`{"+49": 0.07, else: 0.05}`.',
    "parts": "`gsm` counts the parts of text messages (the default of `sms`); `one` does not.",
    "link": "The length of a shortened link, for counting parts (default: 25).",
    "agent": "The default sender.",
    "track": "What is tracked: `[opens, clicks]` or one of them. Default: nothing.",
    "links": "`short` shortens links; `whole` (the default) does not.",
}
AGENT: dict[str, str] = {
    "channel": "The channel of the agent.",
    "sender": "The mailbox, number or bot.",
    "scenario": "The call script of a voice bot.",
    "menu": "The meaning of the digits that a caller presses; `choice` in the report of a call.",
    "settings": "Other settings for the delivery worker, by name.",
}
KINDS_TEXT = """
The following names are known kinds of channels that need no settings: `email: {}`. Any other
channel needs its `address` or its `kind`.
"""
TOPIC: dict[str, str] = {
    "opt_in": "Only for users who have consented. By default for all who have not refused.",
    "urgent": "Its messages pass quiet hours and caps, and no cap counts them.",
}
CAMPAIGN: dict[str, str] = {
    "fields": "The fields of participants, with their types. Without it any field is accepted.",
    "statuses": "The statuses of participants; new ones have the first. Without it any text is "
    "accepted, and new participants have no status.",
}
CONNECTION: dict[str, str] = {
    "url": "An https address; the paths of requests are appended to it.",
    "headers": "Headers of every request. A secret is written as `env:NAME`.",
    "auth": "The authentication of requests, see below.",
}
CAP: dict[str, str] = {
    "limit": "The maximum number and the period.",
    "channel": "Only messages on this channel count. Default: all.",
    "topic": "Only messages on this topic count. Default: all.",
}

EXAMPLE = """
space: shop
zone: Europe/Berlin

channels:
  email: {agent: newsroom, track: [opens, clicks]}
  sms:   {price: {"+49": 0.07, else: 0.05}}
  voice: {price: 0.12}
  log:   {address: user}

numbers:
  "4711": {messages: sms}
  "+4930555": {messages: sms, calls: voice}

agents:
  newsroom: {channel: email, sender: Shop <news@shop.example>}
  calls:
    channel: voice
    sender: "+49301234"
    scenario: confirm_appointment
    menu: {"1": confirm, "2": move}

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

groups:
  lifecycle: {}
  offers: {at_once: 2, limit: [3 per week]}

audiences:
  regular: count(event "Order Completed" within last 90d) >= 3
  lapsed: last(event "Order Completed") more than 60d ago
  press: static

campaigns:
  winter:
    fields: {name: text, size: number, due: time}
    statuses: [new, contacted, done]

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
Consent is given or refused in a [profile record](events.md): `consent: {email: false}` for a
channel, `{news: false}` for a topic, `{"email:news": true}` for a topic on a channel. A message is
sent only if its channel is not refused, and its topic is not refused (or, with `opt_in`, is
consented to). Consent for a topic on a channel takes precedence over consent for the topic. The
status `unsubscribed` of a message withdraws consent for its topic on its channel, or for its
channel if it has no topic.
"""

COSTS = """
A text message has up to 160 characters of the GSM alphabet, or up to 70 if it contains any other
character. A longer message has several parts of 153 or 67 characters. Parts and cost are in the
row of the status `active` and in the metrics of steps and flows. Costs in delivery reports are
counted separately as `reported_cost`.
"""

NUMBERS = """
Numbers are compared as text, so write them as providers report them. Names that consist of digits
need quotes. It is an error if two flows of a space have the same keyword on a number, or both
take its calls; `towpath replay` refuses a control log that would run both.
"""

PUBLIC_HOSTS = """The addresses of connections, webhooks and calls are public hosts: `towpath check` refuses
names inside a network (`localhost`, `db`, `nas.lan`, `metadata.google.internal`), loopback,
private, link-local and other special IP addresses, odd spellings such as `127.1` or `0x7f000001`,
and paths with `.` or `..`, also percent-encoded. A public name may still resolve to a private
address, so whatever sends the requests has to check the address to which it connects."""
SECRETS = """
`auth` is one of `{bearer: env:TOKEN}`, `{basic: USER, password: env:PASSWORD}`,
`{header: X-Api-Key, value: env:KEY}` and `{signed: env:SECRET}`. Files never contain secrets:
`env:NAME` is the environment variable with the secret on the machine that sends the requests. A
secret in a file, an address or a header of a step is refused. Outputs contain the name of the
connection, but none of its secrets.
"""

DESTINATIONS = """
A destination has one of these keys: `http`, an address or a path of a `connection`; `file`, a
folder, or `store`, a folder in an object store, both with a `format` (`parquet`, `jsonl`, `csv` or
`avro`); `topic` or `table`, with its name.
"""

AUDIENCES = """
A computed audience has a condition and is always up to date, even if only time passes: users
enter `lapsed` 60 days after their last order, without an event. A static audience (`static`)
changes by records and by the steps `add_to` and `remove_from`. Records about a computed audience
are refused with the reason `computed_audience`.
"""


def _kinds() -> list[tuple[str, ...]]:
    return [
        (f"`{c.name}`", f"`{c.address}`", ", ".join(c.tracks) or "nothing", f"`{c.parts}`")
        for c in KINDS.values()
    ]


CAMPAIGNS = """
A flow joins a campaign with its key [`campaign`](flow.md). A participant is what the campaign
knows about a user: fields and a status, separate from the profile and invisible to other
campaigns. A participant is created by its first upload, by a record that enters a flow of the
campaign, or when the user enters one in any other way; uploads, entries and steps change it.

An upload is an [`enter` record](events.md) with `"operation": "upload"`: `flow` names the
campaign, `participant` has the fields of one row, and `profile` traits to set with it. Make its id
from the upload and the row, so that a repeated row counts once. A field that is `null` is removed.

Invalid parts of a row (an unknown field, a value of the wrong type, an unknown status) are refused
with a reason, and the rest is applied. A user has at most 100 participants of at most 32 KiB each.
"""


def page() -> str:
    """Return the page."""
    schema = space_schema()
    parts = schema["$defs"]
    return markdown.page(
        "Spaces",
        "A space is a folder of flows that share settings: a workspace. The settings are in "
        "`space.yaml`. Without this file there are no channels, and any event or trait is accepted.",
        keys(schema, SPACE),
        markdown.block(EXAMPLE, "yaml"),
        "Types are `text`, `number`, `boolean`, `time` and `list`.",
        "## channels",
        keys(parts["channel"], CHANNEL),
        KINDS_TEXT,
        markdown.table(("name", "address", "tracks", "parts"), _kinds()),
        COSTS,
        "## agents",
        keys(parts["agent"], AGENT),
        "## topics",
        keys(parts["topic"], TOPIC),
        CONSENT,
        "## caps",
        keys(parts["cap"], CAP),
        "Only sent messages count. Caps use the time zone of the user.",
        "## numbers",
        keys(parts["number"], NUMBER),
        NUMBERS,
        "## groups",
        "A flow joins a group with `group`. If the group does not allow an entry, it is refused as "
        "`excluded` or `group_limit`. If several flows match a signal, the one with the higher "
        "priority comes first. Sessions in a holdout do not count.",
        keys(parts["group"], GROUP),
        "## audiences",
        AUDIENCES,
        "## campaigns",
        keys(parts["campaign"], CAMPAIGN),
        CAMPAIGNS,
        "## connections",
        keys(parts["connection"], CONNECTION),
        SECRETS,
        PUBLIC_HOSTS,
        "## destinations",
        DESTINATIONS,
    )
