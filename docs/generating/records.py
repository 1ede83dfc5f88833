"""The pages about input records (events, mappings) and about reason codes."""

from __future__ import annotations

from typing import get_args

import msgspec

from docs.generating import markdown
from schemas import load as load_schema
from transforms.flows.protocol import reason_codes as codes
from transforms.sources.files import SOURCES
from transforms.wire import envelope
from transforms.wire import mapping as mappings


def reasons() -> str:
    """Return the page about reason codes."""
    return markdown.page(
        "Reason codes",
        "Nothing is dropped silently: everything that is refused, suppressed or ended has one of these codes.",
        "## Entries",
        "In `rejection`: why a trigger that matched did not start a session. The checks run in this "
        "order: flow running, schedule, user suppressed, key, already in the flow, re-entry, delay, "
        "entry limits, group, state limits (also `value_too_large`). The first failure counts, and "
        "the entry is not retried.",
        _codes(codes.ENTRY),
        "## Endings",
        "In `transition`, of rows with `what` = `ended`. An `end` step gives its own reason.",
        _codes(codes.ENDING),
        "## Paused sessions",
        "In `transition`, of rows with `what` = `waiting`.",
        _codes(codes.PAUSED),
        "## Messages",
        "In `communication`, for messages that were skipped or canceled; also `missing_date` and "
        "`too_far`. "
        "`holdout` and `killed` are also used in `rejection`, for other effects that are suppressed.",
        _codes(codes.SENDING),
        "## Signals and values",
        "In `rejection` and `dead_letter`.",
        _codes(codes.REFUSED),
        "## Invalid records",
        "In `dead_letter`, with file and line, or the id of the message, in `cause`.",
        _codes(codes.RECORDS),
        "## Failures of a streaming job",
        "In `dead_letter`. The user's state is unchanged; `record` contains the signal that was not "
        "handled, so that it can be published again.",
        _codes(codes.FAILED),
        "## Other transitions",
        "Also in `transition`: `entered` rows have the kind of trigger; `left` rows of a `wait_for` "
        "have `timeout`, or `case_1`, `case_2` … or its name for the case that happened; `waiting` rows have "
        "`restart` if a time-out started again, `moved` if the date of a `wait_until` changed. "
        "`left` rows of a `wait_until` have `missing` if the date became missing, those of a wait "
        "in a visit `gone` if the visit ended first.",
    )


def _codes(found: dict[str, str]) -> str:
    rows = [(markdown.code(name), markdown.plain(about)) for name, about in found.items()]
    return markdown.table(("code", "meaning"), rows)


# --- events ----------------------------------------------------------------------------------

_KINDS = {
    "track": "event",
    "identify": "profile_change",
    "audience": "audience_change",
    "communication": "communication_update",
    "inbound": "inbound",
    "enter": "enter",
    "call_result": "call_result",
    "command": "command",
    "handover": "handover_in",
    "forwarded": "forwarded_in",
    "alias": "alias",
}

EXAMPLE = """
{"type": "track", "messageId": "m1", "userId": "kim", "timestamp": "2026-03-01T09:00:00Z", "event": "Order Completed", "properties": {"total": 30}}
{"type": "identify", "messageId": "m2", "userId": "kim", "timestamp": "2026-03-01T09:00:01Z", "traits": {"email": "kim@example.com", "timezone": "Europe/Berlin"}, "consent": {"email": true}}
"""

EVENTS = """
Input files are JSON lines, Avro, Parquet or CSV, recognized by their extension. A table with the
columns of the envelope (`type`, `messageId`, …) is read like JSON lines, with free maps as JSON
texts; any other table needs a [mapping](mapping.md). A file may contain several kinds of records.

Times are ISO texts or milliseconds since 1970. A text without a zone is UTC.
"""

AFTER = """
Unknown fields are ignored. A record may have 256 KiB, its maps 32 KiB and 16 levels; ids, names
and similar texts may have 256 characters, and ids no control characters.
`towpath schema --record event` (and so on) prints the Avro schema of a kind; its fields have the
same names.

A subscription of the streaming job may bring `command`, `handover`, `forwarded`, and `alias` with
the `previousId` of a known user only if it is allowed to:
[who may publish what](../how-to/who-may-publish-what.md). Files may bring everything.

The command `hold` may set the resume mode (`{"resume": "shift"}`). `stop`, `hold` and `resume` with
`{"key": "c1"}` affect only the sessions of that key. `suppress` with `{"off": true}` ends the
suppression. `import` has the exported record as `state` in `data`, and `replace: true` if the user
exists.

Records with only an `anonymousId` have the key `anon:ID`. An `identify` or `alias` that also has a
`userId` says that both are the same user: it is handled at the anonymous key, whose state and
later signals go to the user's key. The `previousId` of an alias is another key of the user, as is.
"""


def events() -> str:
    """Return the page about input records."""
    common = list(msgspec.structs.fields(envelope.Envelope))
    parts = []
    for kind in get_args(envelope.AnyEnvelope):
        tag = str(kind.__struct_config__.tag)
        own = [f for f in msgspec.structs.fields(kind) if f.name not in {c.name for c in common}]
        schema = load_schema(_KINDS[tag])
        docs = {field["name"]: field.get("doc", "") for field in schema["fields"]}
        rows = [
            (_name(f), "yes" if f.required else "", markdown.plain(docs[f.encode_name]))
            for f in own
        ]
        parts += [f"### {tag}", markdown.plain(schema["doc"])]
        parts.append(markdown.table(("field", "required", "meaning"), rows))
    return markdown.page(
        "Events",
        EVENTS,
        markdown.block(EXAMPLE, "json"),
        "## Every record",
        markdown.table(("field", "required", "meaning"), _common(common)),
        "## Kinds",
        *parts,
        AFTER,
        "File extensions: " + ", ".join(f"`{ending}`" for ending in SOURCES) + ".",
    )


ABOUT = {
    "message_id": "The permanent id: another record with the same id is ignored.",
    "timestamp": "The event time.",
    "user_id": "The user.",
    "anonymous_id": "The visitor, if the user is not known. One of the two is required.",
    "received_at": "The ingestion time. A later event time is replaced by it.",
    "sent_at": "Ignored.",
    "sequence": "Orders records with the same event time.",
    "bypass": "Loaded history: updates the user's profile and counts; nothing starts or is sent.",
    "backfill": "Like `bypass`, but also accepted if it is too old.",
}


def _common(fields: list[msgspec.structs.FieldInfo]) -> list[tuple[str, str, str]]:
    head = ("`type`", "yes", ", ".join(f"`{kind}`" for kind in envelope.KINDS))
    return [head, *((_name(f), "yes" if f.required else "", ABOUT[f.name]) for f in fields)]


def _name(field: msgspec.structs.FieldInfo) -> str:
    return markdown.code(field.encode_name)


# --- mappings --------------------------------------------------------------------------------

KEYS = {
    "user": "the column of the user",
    "event": "the column of the event's name, or `{value: Purchase}` for one name",
    "time": "the column of the event time; `{column: c, unit: s}` for numbers in `s` or `ms`",
    "zone": "the time zone of times without one (default: UTC); refused if all times are numbers",
    "received": "the column of the ingestion time, like `time`",
    "id": "the column of the id",
    "sequence": "the column of a number that orders events of the same time",
    "properties": "property names, each with a column or `{column: c, type: number}`",
}

MAPPING = """
A mapping says which columns of a table, or which fields of JSON lines, make up an event. It is a
YAML file for `towpath replay --map`.

```yaml
user: customer_id
event: {value: Purchase}
time: date
properties:
  amount: {column: amount_usd, type: number}
  channel: source
  total: order.total
```
"""

IDS = """
Without an `id` column, the id of a row is a hash of its columns and of the number of equal rows
before it: equal rows all count, and splitting or shuffling files changes nothing. With an `id`
column, a row with an id that was seen before is a duplicate.

A column may be a path into nested values: `order.total` is the field `total` of the field `order`
of JSON lines, or of a struct in Parquet. A column whose whole name is `order.total` goes first.
Records with `type` and `messageId` are read as [events](events.md), without the mapping; if all
are, `--map` is refused.

An empty cell is a missing property. A row with an empty user, event or time, or with a value of
the wrong type, becomes a dead letter with file, line and reason; the other rows are read.
"""


def mapping() -> str:
    """Return the page about mappings."""
    rows = [
        (markdown.code(key), "yes" if key in mappings.REQUIRED else "", KEYS[key])
        for key in mappings.KEYS
    ]
    types = ", ".join(f"`{kind}`" for kind in mappings.TYPES)
    return markdown.page(
        "Mappings",
        MAPPING,
        markdown.table(("key", "required", "meaning"), rows),
        f"Types are {types}; the default is `text`.",
        IDS,
    )
