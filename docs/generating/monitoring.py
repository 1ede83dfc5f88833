"""The page about the job's metrics, and from it and the alerts: rules for Prometheus, dashboards."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from docs.generating import markdown
from transforms.hosting import job_metrics as m
from transforms.hosting.job_metrics import METRICS, JobMetric

FOLDER = Path(__file__).parents[2] / "infra" / "monitoring"

Dialect = Literal["prometheus", "dataflow"]
"""Where metrics are: Prometheus with labels, or Dataflow's user counters in Cloud Monitoring."""

USER_COUNTER = "dataflow_googleapis_com:job_user_counter"


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A counter grew by more than ``above`` within ``window`` seconds, or did not grow."""

    kind: Literal["increase", "absence"]
    above: int
    window: int


class Alert(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"hold": "for"}):
    """An alert of ``infra/monitoring/alerts.yaml``, where its fields are explained."""

    name: str
    metric: str
    condition: Condition
    hold: int
    severity: Literal["page", "ticket"]
    summary: str
    page: str
    values: tuple[str, ...] = ()


@cache
def alerts() -> tuple[Alert, ...]:
    """Read the alerts."""
    text = (FOLDER / "alerts.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text)["alerts"], tuple[Alert, ...])


def metric_of(alert: Alert) -> JobMetric:
    """Return the metric of an alert."""
    return {metric.name: metric for metric in METRICS}[alert.metric]


def page() -> str:
    """Return the page about the metrics."""
    rows = [
        (
            markdown.code(one.name),
            markdown.code(one.by) if one.by else "",
            one.kind,
            one.unit,
            one.meaning,
        )
        for one in METRICS
    ]
    return markdown.page(
        "Metrics of the job",
        "What the streaming job reports about itself. [Alerts](../how-to/alerts.md) use these "
        "metrics; the numbers of flows and steps are [tables](outputs.md).",
        "A runner that has labels reports a series for each value of the label. For others the value "
        "follows the name: `dead_letters.failed`. The namespace in Beam is `towpath`.",
        "- Dataflow reports counters to Cloud Monitoring as `dataflow.googleapis.com/job/user_counter` "
        "with the label `metric_name`, and each distribution as four series: `handling_lag_MAX`, "
        "`_MIN`, `_MEAN` and `_COUNT`. They can be those of the whole life of the job, so alerts use "
        "counters only.\n"
        "- There are no gauges, because Dataflow reports none.\n"
        "- Counts of a bundle that fails are lost, as its work is.",
        markdown.table(("metric", "label", "kind", "unit", "meaning"), rows),
    )


def rules() -> str:
    """Return the alert rules for Prometheus."""
    found = [
        {
            "alert": alert.name,
            "expr": _condition(alert),
            "for": f"{alert.hold}s",
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.summary, "page": alert.page},
        }
        for alert in alerts()
    ]
    head = "# Generated from alerts.yaml by `make docs`; do not edit.\n"
    groups = {"groups": [{"name": "towpath", "rules": found}]}
    return head + yaml.safe_dump(groups, sort_keys=False, width=1_000)


def _condition(alert: Alert) -> str:
    metric, condition = metric_of(alert), alert.condition
    grown = _increase(_selector(metric, "prometheus", alert.values), f"{condition.window}s")
    if condition.kind == "absence":
        return f"(sum({grown}) or vector(0)) <= {condition.above}"
    by = f" by ({metric.by})" if metric.by else ""
    return f"sum{by} ({grown}) > {condition.above}"


def _increase(selector: str, window: str) -> str:
    """Return how much a counter grew; a new series has grown by its value."""
    return f"(({selector} unless {selector} offset {window}) or increase({selector}[{window}]))"


def _selector(
    metric: JobMetric, dialect: Dialect, values: tuple[str, ...] = (), of: str = ""
) -> str:
    """Return the series of a metric; ``of`` is the quantile or the part of a distribution."""
    if dialect == "prometheus":
        matches = [f'{metric.by}=~"{"|".join(values)}"'] if values else []
        matches += [f'quantile="{of}"'] if of else []
        return f"towpath_{metric.name}" + (f"{{{','.join(matches)}}}" if matches else "")
    name = f"{metric.name}[.].+" if metric.by else metric.name
    return f'{USER_COUNTER}{{job_name="$job",metric_name=~"{name}{of}"}}'


# --- dashboards ----------------------------------------------------------------------------------

ROWS: dict[str, tuple[tuple[str, tuple[JobMetric, ...]], ...]] = {
    "Input": (
        ("Messages", (m.SIGNALS, m.UNREAD, m.HEARTBEATS)),
        ("Dead letters by reason", (m.DEAD_LETTERS,)),
        ("Refusals by reason", (m.REFUSALS,)),
    ),
    "Time": (
        ("From ingestion to handling", (m.HANDLING_LAG,)),
        ("Lateness of timers", (m.ALARM_LATENESS,)),
        ("Late or refused", (m.HANDLED_LATE, m.ALARMS_LATE, m.ALARMS_REFUSED)),
    ),
    "Control log": (
        ("How far the log is behind", (m.CONTROL_LAG,)),
        ("Newest record read", (m.CONTROL_SEQUENCE,)),
        ("Trouble", (m.CONTROL_TROUBLE, m.CONTROL_LATE, m.SIGNALS_HELD, m.WENT_ON_BEHIND)),
    ),
    "States": (
        ("Size of a state", (m.STATE_SIZE,)),
        ("Large states, full buffers", (m.STATES_LARGE, m.HANDLED_BEFORE_TURN)),
    ),
    "Outputs": (
        ("Outputs by kind", (m.OUTPUTS,)),
        ("Topics", (m.PUBLISHED, m.PUBLISH_RETRIES)),
        ("Redis", (m.STATES_WRITTEN, m.STALE_WRITES)),
        ("Rows of tables", (m.ROWS_WRITTEN,)),
        ("Rejected by sinks", (m.UNFIT_OUTPUTS,)),
    ),
}
"""The panels of the dashboards: every metric is in one of them."""

WIDTH, HEIGHT = 8, 8
UNITS = {"ms": "ms", "bytes": "bytes"}
PARTS: dict[Dialect, tuple[str, ...]] = {
    "prometheus": ("0.5", "0.99"),
    "dataflow": ("_MEAN", "_MAX"),
}


def dashboard(dialect: Dialect) -> str:
    """Return a Grafana dashboard as JSON."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row, some in ROWS.items():
        panels.append(_row(row, y, len(panels)))
        for place, (title, metrics) in enumerate(some):
            at = {"x": place % 3 * WIDTH, "y": y + 1 + place // 3 * HEIGHT, "w": WIDTH, "h": HEIGHT}
            panels.append(_panel(title, metrics, dialect, at, len(panels)))
        y += 1 + -(-len(some) // 3) * HEIGHT
    variables = [{"name": "source", "type": "datasource", "query": "prometheus", "label": "source"}]
    if dialect == "dataflow":
        variables.append({"name": "job", "type": "textbox", "query": "towpath", "label": "job"})
    found = {
        "title": f"Towpath ({dialect})",
        "uid": f"towpath-{dialect}",
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "tags": ["towpath"],
        "templating": {"list": variables},
        "panels": panels,
    }
    return msgspec.json.format(msgspec.json.encode(found)).decode() + "\n"


def _row(title: str, y: int, ident: int) -> dict[str, Any]:
    at = {"x": 0, "y": y, "w": 3 * WIDTH, "h": 1}
    return {"id": ident + 1, "type": "row", "title": title, "gridPos": at, "panels": []}


def _panel(
    title: str, metrics: tuple[JobMetric, ...], dialect: Dialect, at: dict[str, int], ident: int
) -> dict[str, Any]:
    queries = [query for metric in metrics for query in _queries(metric, dialect)]
    return {
        "id": ident + 1,
        "type": "timeseries",
        "title": title,
        "description": " ".join(metric.meaning for metric in metrics)
        + (" Increase in five minutes." if metrics[0].kind == "counter" else ""),
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": at,
        "fieldConfig": {"defaults": {"unit": UNITS.get(metrics[0].unit, "short"), "min": 0}},
        "targets": [
            {"refId": chr(ord("A") + n), "expr": expr, "legendFormat": legend}
            for n, (expr, legend) in enumerate(queries)
        ],
    }


def _queries(metric: JobMetric, dialect: Dialect) -> list[tuple[str, str]]:
    """Return the queries of a metric with their legends: of a counter, its increase in five minutes."""
    label = "metric_name" if dialect == "dataflow" else metric.by
    legend = f"{{{{{label}}}}}" if label else metric.name
    by = f" by ({label})" if label else ""
    if metric.kind == "counter":
        grown = "delta" if dialect == "dataflow" else "increase"
        return [(f"sum{by} ({grown}({_selector(metric, dialect)}[5m]))", _named(legend, metric))]
    return [
        (
            f"max{by} ({_selector(metric, dialect, of=part)})",
            f"{_named(legend, metric)} {part.strip('_')}",
        )
        for part in PARTS[dialect]
    ]


def _named(legend: str, metric: JobMetric) -> str:
    return legend if legend in (metric.name, "{{metric_name}}") else f"{metric.name} {legend}"
