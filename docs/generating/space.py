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
    "campaigns": "What flows share that belong together: the fields of their participants.",
}
CHANNEL: Texts = {"address": "The trait with the address, or `user` for the user's id."}
TOPIC: Texts = {"opt_in": "Only for users who have said yes; else for all who have not said no."}
CAMPAIGN: Texts = {
    "fields": "The fields of participants, with their types. Without them any field is taken.",
    "statuses": "What the status of a participant may be; a new one has the first. Without them "
    "any text is taken, and a new participant has none.",
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

campaigns:
  winter:
    fields: {name: text, size: number, due: time}
    statuses: [new, contacted, done]
"""

CONSENT = """
A user says yes or no by a [profile record](events.md): `consent: {email: false}` for a channel,
`{news: false}` for a topic, `{"email:news": true}` for a topic on a channel. A message needs a
channel that was not refused, and a topic that was not refused (or, with `opt_in`, was chosen);
the word about a topic on a channel goes before the word about the topic. The status
`unsubscribed` of a message withdraws the consent for its topic on its channel, or, if it has no
topic, for its channel.
"""

AUDIENCES = """
A computed audience has a condition and is kept up to date, also where only time passes:
`lapsed` is entered 60 days after the last order, without an event. A static audience (`static`)
changes by records and by the steps `add_to` and `remove_from`. Records about a computed audience
are refused with the reason `computed_audience`.
"""


CAMPAIGNS = """
A flow belongs to a campaign by its key [`campaign`](flow.md). A participant is what the campaign
knows of a user: fields and a status, apart from the profile, and not seen by other campaigns. It
is created by its first upload, by a record that enters a flow of the campaign, or when the user
enters one in any other way; uploads, entries and steps change it.

An upload is an [`enter` record](events.md) with `"operation": "upload"`: `flow` names the
campaign, `participant` holds the fields of one row, `profile` traits to set with it. Its id is to
be made of the upload and the row, so that a row that comes twice counts once. A field that is
`null` is taken away.

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
        "## campaigns",
        keys(parts["campaign"], CAMPAIGN),
        CAMPAIGNS,
    )
