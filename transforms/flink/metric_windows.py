"""Windowed metrics by Flink's SQL: absolute numbers of each minute, hour and day (R25).

A number is written again when rows are added to it, late ones too, with how many were counted: the one
with the most is the newest. Sums are kept per window, not per user or event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from pyflink.common import Row
from pyflink.datastream import ProcessFunction
from pyflink.table import Schema

from schemas import wire
from schemas.wire import Encoding
from transforms import metrics
from transforms.flink.metric_lines import read_name
from transforms.metrics import Metric, Window
from transforms.wire.rows import name_of, to_row

OUTAGE = 30 * 86_400
"""Sums are kept so many seconds longer by the clock, since a job that is down forgets them, too."""
PACE = 60
"""Seconds after which a change is written at the latest."""

SETTINGS = {
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": f"{PACE} s",
    "table.exec.mini-batch.size": "50000",
    "table.optimizer.agg-phase-strategy": "TWO_PHASE",
}
"""Rows are first added up where they are; what is not yet written is handed on before a checkpoint."""

TIMELY = """
SELECT `lines` FROM {table}
WHERE CURRENT_WATERMARK(happened) IS NULL
   OR happened >= TIMESTAMPADD(SECOND, -{lateness}, CURRENT_WATERMARK(happened))
"""

LINES = """
SELECT SPLIT_INDEX(line, '\t', 2) AS name,
       CAST(SPLIT_INDEX(line, '\t', 1) AS BIGINT) AS instant,
       CAST(SPLIT_INDEX(line, '\t', 0) AS DECIMAL(38, 0)) AS amount
FROM {table} CROSS JOIN UNNEST(SPLIT(`lines`, '\n')) AS l(line)
"""

NUMBERS = """
SELECT name, size, started, CAST(SUM(amount) AS STRING) AS total, COUNT(*) AS counted
FROM {table} CROSS JOIN UNNEST(ARRAY[{windows}]) AS w(size, started)
GROUP BY name, size, started
"""
COLUMNS = {
    "name": "STRING",
    "size": "BIGINT",
    "started": "BIGINT",
    "total": "STRING",
    "counted": "BIGINT",
}
SIZES: dict[int, Window] = {size: window for window, size in metrics.WINDOWS.items()}


def timely_steps(table: str, lateness: int) -> str:
    """Return the query of the steps that are not later than the allowed lateness."""
    return TIMELY.format(table=table, lateness=lateness)


def numbers_of(table: str) -> str:
    """Return the query of the numbers of each window."""
    # As values without the row's own, Flink would join them, and keep every row for that.
    windows = ", ".join(f"ROW(CAST({n} AS BIGINT), instant - MOD(instant, {n}))" for n in SIZES)
    return NUMBERS.format(table=f"({LINES.format(table=table)})", windows=windows)


def number_schema() -> Schema:
    """Return the columns of numbers; the key is the name and the window."""
    made = Schema.new_builder()
    for column, kind in COLUMNS.items():
        made.column(column, f"{kind} NOT NULL")
    return made.primary_key("name", "size", "started").build()


class PublishNumbers(ProcessFunction):
    """Turn numbers into records: metrics of the same schemas as those of a replay."""

    def __init__(self, topics: Mapping[str, str], encoding: Encoding = "json") -> None:
        self._topics = dict(topics)
        self._encoding = encoding

    def process_element(self, value: Any, ctx: Any) -> Iterable[Row]:
        """Handle a number that has changed."""
        name, size, started, total, counted = value
        space, metric = metric_of(name, size, started, int(total))
        kind = name_of(metric)
        key = msgspec.json.encode([kind, metric.window, started, msgspec.Raw(name.encode())])
        headers = {
            "space": space,
            "kind": kind,
            "flow": metric.flow,
            "counted": str(counted),
            **wire.attributes(kind, self._encoding),
        }
        body = wire.encode(kind, to_row(metric), self._encoding)
        encoded = {name: value.encode() for name, value in headers.items()}
        return (Row(self._topics[kind], key, body, encoded),)


def metric_of(name: str, size: int, started: int, total: int) -> tuple[str, Metric]:
    """Return the space and the metric of a number."""
    found = read_name(name)
    key = metrics.Key(started, found.flow, found.version, found.step, found.metric, found.reason)
    return found.space, metrics.metric_of(SIZES[size], key, total)
