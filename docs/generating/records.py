"""The pages about what comes in (events, mappings) and about reason codes."""

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
    """Write the page about reason codes."""
    return markdown.page(
        "Reasons",
        "Nothing stops silently: whatever is refused, withheld or ended has a code from this list.",
        "## Entries",
        "In `rejection`: why a trigger that matched started no session. They are judged in the "
        "order flow running, schedule, suppressed, already inside, re-entry, delay, limits, bounds; "
        "the first counts, and the trigger is forgotten.",
        _codes(codes.ENTRY),
        "## Endings",
        "In `transition`, of rows with `what` = `ended`. An `end` step gives its own reason.",
        _codes(codes.ENDING),
        "## Standing still",
        "In `transition`, of rows with `what` = `waiting`.",
        _codes(codes.PAUSED),
        "## Messages",
        "In `communication`, of messages that were skipped or canceled, as also `missing_date` and "
        "`too_far`. "
        "`holdout` and `killed` also stand in `rejection`, for other effects that are withheld.",
        _codes(codes.SENDING),
        "## Signals and values",
        "In `rejection` and `dead_letter`.",
        _codes(codes.REFUSED),
        "## Records that cannot be used",
        "In `dead_letter`, with file and line in `cause`, or the message's id.",
        _codes(codes.RECORDS),
        "## Failures of a streaming job",
        "In `dead_letter`. What is kept of the user is left as it was; `record` holds the signal "
        "that was not handled, to be published again.",
        _codes(codes.FAILED),
        "## On the way",
        "In `transition` too: `entered` rows name the kind of trigger, `left` rows of a `wait_for` "
        "have `timeout` or `case_1`, `case_2` … for the case that happened, `waiting` rows have "
        "`restart` where a time-out began again. A wait in a visit is left as `gone` where the "
        "visit ended first.",
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
Records come as JSON lines, Avro, Parquet or CSV; the ending of the file says which. A table whose
columns are those of the envelope (`type`, `messageId`, …) is read like JSON lines, with free maps
as JSON texts; any other table needs a [mapping](mapping.md). All kinds may be mixed in one file.

A moment is an ISO text, or a number of ms since 1970. Without a zone it is UTC.
"""

AFTER = """
What is not known is passed over. A record is at most 256 KiB, its maps 32 KiB and 16 levels deep;
texts such as ids and names have at most 256 characters. `towpath schema --record event` (and so
on) prints the Avro schema of a kind; its fields have the same names.

`hold` takes what its resume does (`{"resume": "shift"}`); `stop`, `hold` and `resume` with
`{"key": "c1"}` are about the sessions of that key alone; `suppress` with `{"off": true}` is taken
back; `import` has in `data` the exported record as `state`, and `replace: true` if the user exists.

Records with only an `anonymousId` have the key `anon:ID`. An `identify` or `alias` with a `userId`
too tells that both are one person: it is handled at the anonymous key, whose state and later
signals go to the user's. The `previousId` of an alias is another key of the user as it stands.
"""


def events() -> str:
    """Write the page about records that come in."""
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
        parts.append(markdown.table(("field", "needed", "meaning"), rows))
    return markdown.page(
        "Events",
        EVENTS,
        markdown.block(EXAMPLE, "json"),
        "## Every record",
        markdown.table(("field", "needed", "meaning"), _common(common)),
        "## Kinds",
        *parts,
        AFTER,
        "Files that can be read: " + ", ".join(f"`{ending}`" for ending in SOURCES) + ".",
    )


ABOUT = {
    "message_id": "The permanent id: a record with an id that was seen changes nothing.",
    "timestamp": "When it happened: its own time.",
    "user_id": "The user.",
    "anonymous_id": "The visitor, where no user is known. One of the two must be there.",
    "received_at": "When it arrived: its receipt. An own time later than it is taken as it.",
    "sent_at": "Read and passed over.",
    "sequence": "The order of records with the same own time.",
    "bypass": "History to load: it updates what is known of the user; nothing starts or is sent.",
    "backfill": "As `bypass`, and taken although it is too old.",
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
    "time": "the column of the own time; `{column: c, unit: s}` for numbers of `s` or `ms`",
    "zone": "the zone of times without one; UTC if it is left out",
    "received": "the column of the receipt, as `time`",
    "id": "the column of the id",
    "sequence": "the column of a number that orders events of the same time",
    "properties": "names, each with a column, or with `{column: c, type: number}`",
}

MAPPING = """
A mapping says which columns of a table make an event. It is a YAML file, given with
`towpath replay --map`.

```yaml
user: customer_id
event: {value: Purchase}
time: date
properties:
  amount: {column: amount_usd, type: number}
  channel: source
```
"""

IDS = """
Without an `id` column a row's id is a hash of its columns and of how many equal rows came before
it: equal rows all count, and dividing or shuffling files changes nothing. With one, a row with an
id that was seen is a repetition.

An empty cell is a missing property. A row with an empty user, event or time, or with a value that
is not of its type, becomes a dead letter with file, line and reason; the rest goes on.
"""


def mapping() -> str:
    """Write the page about mappings."""
    rows = [
        (markdown.code(key), "yes" if key in mappings.REQUIRED else "", KEYS[key])
        for key in mappings.KEYS
    ]
    types = ", ".join(f"`{kind}`" for kind in mappings.TYPES)
    return markdown.page(
        "Mappings",
        MAPPING,
        markdown.table(("key", "needed", "meaning"), rows),
        f"Types are {types}; `text` where none is named.",
        IDS,
    )
