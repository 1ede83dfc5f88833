"""The page about outputs: every record with its columns, from the Avro schemas."""

from __future__ import annotations

from docs.generating import markdown
from schemas import METRICS, OUTPUTS
from schemas import load as load_schema
from transforms.wire.rows import Field, fields

INTRO = """
Every decision is an output with a permanent id: a repeated output has the same id and the same
bytes. A replay writes each kind as a table of Parquet files, in a folder with the name of the
kind; there is no folder for kinds without rows. Times are UTC, in milliseconds. Columns of type
`json` contain JSON text with sorted keys.

`towpath query DIR "SQL"` queries them by [views](../how-to/sql.md), also those without rows; there
`at` is `happened_at`, `user` is `user_id`, `to` is `to_user_id`, and `silent` is `in_holdout`.

`towpath schema --record NAME` prints the Avro schema of a record.
"""


METRIC_NOTE = """
Counts over the other tables, per minute, hour and day (`window`), by the time of the row. Sessions
in a holdout are counted separately, with the prefix `holdout_`. A metric that is zero has no row.
"""


def page() -> str:
    """Return the page."""
    parts = [part for name in OUTPUTS for part in _record(name)]
    numbers = [part for name in METRICS for part in _record(name)]
    return markdown.page(
        "Outputs",
        INTRO,
        *parts,
        "## Metric tables",
        METRIC_NOTE,
        *numbers,
        "## Metrics",
        _metrics(),
    )


def _record(name: str) -> list[str]:
    schema = load_schema(name)
    docs = {field["name"]: field.get("doc", "") for field in schema["fields"]}
    rows = [(markdown.code(f.name), _kind(f), markdown.plain(docs[f.name])) for f in fields(name)]
    table = markdown.table(("column", "type", "meaning"), rows)
    return [f"### {name}", markdown.plain(schema["doc"]), table]


def _kind(field: Field) -> str:
    kind = {"strings": "list of strings"}.get(field.kind, field.kind)
    return f"{kind} or null" if field.optional else kind


STEP_METRICS = (
    ("arrivals", "", "arrivals at the step"),
    ("first_arrivals", "", "first arrivals ever of a user at this flow and step"),
    ("left", "", "sessions that left a wait"),
    ("time_in_step", "", "total waiting time of the sessions that left, in ms"),
    ("messages", "", "messages"),
    ("suppressed", "the reason", "messages suppressed, expired or canceled"),
    ("(a status)", "", "reports of the status: `delivered`, `opened` and so on"),
    ("parts", "", "parts of messages, where parts are counted"),
    ("cost", "", "cost of messages, by the prices of the space"),
    ("reported_cost", "", "cost in delivery reports"),
    ("conversions", "the goal", "goals of sessions that had reached the step before"),
    ("first_conversions", "the goal", "of these, first conversions ever of a user and goal"),
    ("revenue", "the goal", "the total value of these goals"),
)
FLOW_METRICS = (
    ("entries", "", "sessions started"),
    ("exits", "the reason", "sessions ended"),
    ("refusals", "the reason", "entries and other signals refused"),
    ("messages", "", "messages"),
    ("parts", "", "parts of messages, where parts are counted"),
    ("cost", "", "cost of messages, by the prices of the space"),
    ("reported_cost", "", "cost in delivery reports"),
    ("goals", "the goal", "goals reached, once per session"),
    ("first_goals", "the goal", "of these, first conversions ever of a user and goal"),
    ("revenue", "the goal", "the total value of these goals"),
)


def _metrics() -> str:
    head = ("table", "metric", "split by", "meaning")
    rows = [("step_metric", *row) for row in STEP_METRICS]
    return markdown.table(head, [*rows, *(("flow_metric", *row) for row in FLOW_METRICS)])
