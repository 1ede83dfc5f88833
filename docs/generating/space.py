"""The page about a space's file."""

from __future__ import annotations

from docs.generating import markdown
from docs.generating.flow import keys
from transforms.authoring.json_schema import space_schema
from transforms.flows.definitions.channels import KINDS

SPACE: dict[str, str] = {
    "space": "The name of the space. Ids and random assignments depend on it: with another name all of them change.",
    "zone": "The zone of users without a trait `timezone`, if the flow has none either.",
    "slack": "The allowed lateness by ingestion time: 0 for files, some seconds behind a broker.",
    "channels": "Channels by which users are reached.",
    "agents": "Configured senders on these channels.",
    "topics": "What messages may be about.",
    "caps": "How many messages a user gets at most, over all flows.",
    "quiet_hours": "When no message leaves: it waits for their end.",
    "events": "The properties of events, with their types. What is not declared is not checked.",
    "traits": "The traits of users, with their types.",
    "audiences": "Groups of users: computed, or `static`.",
    "numbers": "Numbers and senders' names that users write to or call; flows can name only these.",
    "groups": "Groups of flows that compete for a user.",
    "campaigns": "Campaigns: flows that share participants, with the fields of these.",
    "connections": "Interfaces that flows call, with the headers of their requests.",
    "destinations": "Where exports go.",
}
GROUP: dict[str, str] = {
    "at_once": "In how many of its flows a user may be at once. Without it one, or any number if "
    "there is a `limit`.",
    "limit": "At most so many entries of a user, over all of its flows, in each period.",
}
NUMBER: dict[str, str] = {
    "messages": "The channel of the messages that it takes, or a list of channels.",
    "calls": "The channel of the calls that it takes, or a list of channels.",
}
CHANNEL: dict[str, str] = {
    "kind": "The known kind that it is one of, if its name is another.",
    "address": "The trait with the address, or `user` for the user's id. Known kinds have one.",
    "price": "What a part costs: a number, or numbers by the beginning of the address, such as "
    '`{"+49": 0.07, else: 0.05}`.',
    "parts": "`gsm` counts the parts of text messages, as `sms` does of itself; `one` does not.",
    "link": "How many characters a shortened link has, for that count; 25 without it.",
    "agent": "The agent that sends if the step names none.",
    "track": "What is tracked of its messages: `[opens, clicks]`, or one of them. Without it nothing.",
    "links": "`short` shortens links; `whole` (usual) leaves them.",
}
AGENT: dict[str, str] = {
    "channel": "The channel that it sends on.",
    "sender": "The mailbox, number or bot.",
    "scenario": "What a voice robot runs.",
    "menu": "The meaning of the digits that a caller presses: `choice` in the results of a call.",
    "settings": "Other texts for the worker, by name.",
}
KINDS_TEXT = """
These names are known kinds of channels, and need nothing else: `email: {}`. Any other needs its
`address`, or its `kind`.
"""
TOPIC: dict[str, str] = {
    "opt_in": "Only for users who agreed; otherwise for all who did not refuse."
}
CAMPAIGN: dict[str, str] = {
    "fields": "The fields of participants, with their types. Without them any field is allowed.",
    "statuses": "The possible statuses of a participant; a new one has the first. Without them "
    "any text is allowed, and a new participant has none.",
}
CONNECTION: dict[str, str] = {
    "url": "An https address, to which the paths of requests are added.",
    "headers": "Headers of every request. One that names a secret holds `env:NAME`.",
    "auth": "How requests are authenticated, see below.",
}
CAP: dict[str, str] = {
    "limit": "How many, and in which period.",
    "channel": "Only messages on this channel count; without it all.",
    "topic": "Only messages about this topic count; without it all.",
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
A user consents or refuses by a [profile record](events.md): `consent: {email: false}` for a channel,
`{news: false}` for a topic, `{"email:news": true}` for a topic on a channel. A message needs a
channel that was not refused, and a topic that was not refused (or, with `opt_in`, was chosen);
consent for a topic on a channel overrides consent for the topic. The status
`unsubscribed` of a message withdraws the consent for its topic on its channel, or, if it has no
topic, for its channel.
"""

COSTS = """
A text message has 160 characters of the GSM alphabet, or 70 if it holds any other; of a longer
one each part has 153, or 67. Parts and cost are in the row of the status `active`, and in the
numbers of steps and flows; costs that delivery reports state are counted as `reported_cost`.
"""

NUMBERS = """
Numbers are compared as text, so write them as providers report them, digits in quotes. Two flows
of one folder with the same keyword on a number, or for its calls, are an error; `towpath replay`
refuses a log by which both would run.
"""

SECRETS = """
`auth` is one of `{bearer: env:TOKEN}`, `{basic: USER, password: env:PASSWORD}`,
`{header: X-Api-Key, value: env:KEY}` and `{signed: env:SECRET}`. A secret is named, never written:
`env:NAME` is the environment variable that holds it where requests are sent. A secret in a file, in
an address or in a header of a step is refused. Outputs name the connection and hold no secrets.
"""

DESTINATIONS = """
The key says of which kind a destination is: `http`, a path of a `connection` or an address;
`file`, a folder, and `store`, a folder of an object store, both with a `format` (`parquet`,
`jsonl`, `csv` or `avro`); `topic` or `table`, by its name.
"""

AUDIENCES = """
A computed audience has a condition and is kept up to date, also as time passes:
`lapsed` is entered 60 days after the last order, without an event. A static audience (`static`)
changes by records and by the steps `add_to` and `remove_from`. Records about a computed audience
are refused with the reason `computed_audience`.
"""


def _kinds() -> list[tuple[str, ...]]:
    return [
        (f"`{c.name}`", f"`{c.address}`", ", ".join(c.tracks) or "nothing", f"`{c.parts}`")
        for c in KINDS.values()
    ]


CAMPAIGNS = """
A flow belongs to a campaign by its key [`campaign`](flow.md). A participant is what the campaign
knows of a user: fields and a status, apart from the profile, and not seen by other campaigns. It
is created by its first upload, by a record that enters a flow of the campaign, or when the user
enters one in any other way; uploads, entries and steps change it.

An upload is an [`enter` record](events.md) with `"operation": "upload"`: `flow` names the
campaign, `participant` holds the fields of one row, `profile` traits to set with it. Its id is to
be made of the upload and the row, so that a row that arrives twice counts once. A field that is
`null` is removed.

What does not fit (an unknown field, a value of another type, an unknown status) is refused with a
reason, and the rest of the row goes on. A user has at most 100 participants, each of at most
32 KiB.
"""


def page() -> str:
    """Write the page."""
    schema = space_schema()
    parts = schema["$defs"]
    return markdown.page(
        "Spaces",
        "A space is what the flows of one folder share: the file `space.yaml`. Without it there "
        "are no channels, and events and traits are not checked.",
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
        "Only messages that left count. The periods of a cap are in the zone of the user.",
        "## numbers",
        keys(parts["number"], NUMBER),
        NUMBERS,
        "## groups",
        "A flow competes in the group that it names with `group`. Entries that this prevents are refused "
        "as `excluded` or `group_limit`; of one signal the flow with the higher priority is first. "
        "A session in a holdout does not count.",
        keys(parts["group"], GROUP),
        "## audiences",
        AUDIENCES,
        "## campaigns",
        keys(parts["campaign"], CAMPAIGN),
        CAMPAIGNS,
        "## connections",
        keys(parts["connection"], CONNECTION),
        SECRETS,
        "## destinations",
        DESTINATIONS,
    )
