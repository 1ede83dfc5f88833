"""The page about outputs: every record that leaves, with its columns, from the Avro schemas."""

from __future__ import annotations

from docs.generating import markdown
from schemas import METRICS, OUTPUTS
from schemas import load as load_schema
from transforms.wire.rows import Field, fields

INTRO = """
Every decision is an output with a permanent id: the same decision has the same id and the same
bytes, in every repetition. A replay writes each kind as a table of Parquet files, in a folder of
its name; kinds without a row have none. Times are UTC, exact to the millisecond. Columns of type
`json` hold JSON as text with sorted keys.

`towpath schema --record NAME` prints the Avro schema of a record.
"""

LATER = {
    "cancel": "Nothing makes it yet.",
    "call": "Nothing makes it yet.",
}
"""Outputs that the shape holds and that no step makes so far."""

METRIC_NOTE = """
Counted from the other tables, per minute, hour and day (`window`), by the time of the row. What
sessions in a holdout did is counted apart, with `holdout_` before the metric's name. A metric
that is zero has no row.
"""


def page() -> str:
    """Write the page."""
    parts = [part for name in OUTPUTS for part in _record(name)]
    numbers = [part for name in METRICS for part in _record(name)]
    return markdown.page(
        "Outputs", INTRO, *parts, "## Numbers", METRIC_NOTE, *numbers, "## Metrics", _metrics()
    )


def _record(name: str) -> list[str]:
    schema = load_schema(name)
    docs = {field["name"]: field.get("doc", "") for field in schema["fields"]}
    rows = [(markdown.code(f.name), _kind(f), markdown.plain(docs[f.name])) for f in fields(name)]
    about = " ".join(part for part in (markdown.plain(schema["doc"]), LATER.get(name, "")) if part)
    return [f"### {name}", about, markdown.table(("column", "type", "meaning"), rows)]


def _kind(field: Field) -> str:
    kind = {"strings": "list of strings"}.get(field.kind, field.kind)
    return f"{kind} or null" if field.optional else kind


STEP_METRICS = (
    ("arrivals", "", "arrivals at the step"),
    ("first_arrivals", "", "first arrivals ever of a user at this flow and step"),
    ("left", "", "departures from a wait"),
    ("time_in_step", "", "ms that those who left had waited, added up"),
    ("messages", "", "messages decided"),
    ("suppressed", "the reason", "messages withheld, expired or canceled"),
    ("(a status)", "", "`delivered`, `opened` and so on: how often it was reported"),
    ("parts", "", "parts of messages; nothing fills it yet"),
    ("cost", "", "cost; nothing fills it yet"),
    ("conversions", "the goal", "goals of sessions that had reached the step by then"),
    ("revenue", "the goal", "the value of these"),
)
FLOW_METRICS = (
    ("entries", "", "sessions begun"),
    ("exits", "the reason", "sessions ended"),
    ("refusals", "the reason", "entries and other things refused"),
    ("messages", "", "messages decided"),
    ("recipients", "", "users with at least one message in the window"),
    ("cost", "", "cost; nothing fills it yet"),
    ("goals", "the goal", "goals reached"),
    ("revenue", "the goal", "the value of these"),
)


def _metrics() -> str:
    head = ("table", "metric", "split by", "counts")
    rows = [("step_metric", *row) for row in STEP_METRICS]
    return markdown.table(head, [*rows, *(("flow_metric", *row) for row in FLOW_METRICS)])
