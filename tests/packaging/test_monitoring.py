"""Alerts, dashboards and metrics agree, and each alert has its section on the page."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from docs.generating.monitoring import FLINK_SCOPE, FOLDER, Alert, alerts, metric_of
from tests.kit.relabel import relabelled
from tests.packaging.repository import ROOT
from transforms.hosting import job_metrics
from transforms.hosting.job_metrics import METRICS, JobMetric

PAGE = ROOT / "docs" / "how-to" / "alerts.md"
NAMES = {metric.name for metric in METRICS}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_each_alert_has_a_section(alert: Alert) -> None:
    """Its section says what it means, how to check it and what to do."""
    assert alert.page == f"docs/how-to/alerts.md#{alert.name}"
    _, section = PAGE.read_text(encoding="utf-8").split(f"\n## {alert.name}\n")
    section = section.split("\n## ")[0]
    for part in ("Meaning", "Check", "Action"):
        assert section.count(f"**{part}.**") == 1, part


def test_each_section_has_an_alert() -> None:
    """The page has no section about an alert that is gone."""
    assert re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == [
        alert.name for alert in alerts()
    ]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_each_alert_is_on_a_counter(alert: Alert) -> None:
    """An alert is on a counter of the list; values need a label."""
    metric = metric_of(alert)

    assert metric.kind == "counter"
    assert metric.by or not alert.values


def test_each_metric_is_counted() -> None:
    """Each metric of the list is counted by the host on Beam, and all are in the list."""
    transforms = ROOT / "transforms"
    paths = [*(transforms / "beam").glob("*.py"), *(transforms / "hosting").glob("*.py")]
    text = "".join(path.read_text() for path in paths)
    made = {name: one for name, one in vars(job_metrics).items() if isinstance(one, JobMetric)}

    assert set(made.values()) == set(METRICS)
    assert len(NAMES) == len(METRICS)
    assert not [name for name in made if f"job_metrics.{name}" not in text]


@pytest.mark.parametrize(
    "name", ["grafana-prometheus.json", "grafana-flink.json", "grafana-dataflow.json"]
)
def test_each_metric_is_on_the_dashboards(name: str) -> None:
    """A dashboard shows every metric of the list, and no other."""
    panels = json.loads((FOLDER / name).read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    found = {word for query in queries for word in _metrics(query)}

    assert found == NAMES
    assert len({panel["id"] for panel in panels}) == len(panels)


def _metrics(query: str) -> list[str]:
    """Return the metrics of a query: towpath_NAME, or metric_name=~"NAME…"."""
    named = re.findall(
        r'towpath_([a-z_]+)|metric_name=~"([a-z_]+?)(?:_MEAN|_MAX)?(?:\[\.\]\.\+\w*)?"', query
    )
    return [one or other for one, other in named]


def test_each_rule_is_on_a_metric_of_the_list() -> None:
    """The rules for Prometheus are those of the list of alerts."""
    (group,) = yaml.safe_load((FOLDER / "prometheus-rules.yaml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]

    assert [rule["alert"] for rule in rules] == [alert.name for alert in alerts()]
    assert {name for rule in rules for name in _metrics(rule["expr"])} <= NAMES


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_of_flink_become_those_of_the_rules(metric: JobMetric) -> None:
    """What Flink's reporter calls a metric gets its usual name, and its label, if it has one."""
    labels = relabelled({"__name__": FLINK_SCOPE + metric.of("some_value").replace(".", "_")})

    assert labels == {"__name__": f"towpath_{metric.name}"} | (
        {metric.by: "some_value"} if metric.by else {}
    )
