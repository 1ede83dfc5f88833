"""Writes what is generated from the code: ``python -m docs.generate``, or ``make docs``.

A test compares the pages with the code, so they cannot say what is no longer so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.generating import (
    commands,
    expressions,
    features,
    flow,
    monitoring,
    outputs,
    problems,
    records,
    scenarios,
    space,
    speed,
    templates,
    times,
    working_copy,
)
from pipelines import template

FOLDER = Path(__file__).parent / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "flow.md": flow.page,
    "space.md": space.page,
    "expressions.md": expressions.page,
    "times.md": times.page,
    "templates.md": templates.page,
    "problems.md": problems.page,
    "reasons.md": records.reasons,
    "events.md": records.events,
    "mapping.md": records.mapping,
    "outputs.md": outputs.page,
    "scenarios.md": scenarios.page,
    "commands.md": commands.page,
    "job-metrics.md": monitoring.page,
    "../../infra/monitoring/prometheus-rules.yaml": monitoring.rules,
    "../../infra/monitoring/grafana-prometheus.json": lambda: monitoring.dashboard("prometheus"),
    "../../infra/monitoring/prometheus-flink.yaml": monitoring.flink_scrape,
    "../../infra/monitoring/grafana-flink.json": lambda: monitoring.dashboard("flink"),
    "../../infra/monitoring/grafana-dataflow.json": lambda: monitoring.dashboard("dataflow"),
    "../features.md": features.page,
    "../explanation/speed.md": speed.page,
    "../pictures/growth.svg": speed.chart,
    "../../README.md": speed.readme,
    "../../infra/gcp/metadata.json": template.metadata,
    "../../transforms/flows/engine/working.py": working_copy.page,
}
"""Every generated page by its file, from the folder of the reference."""


def main() -> None:
    """Write every page anew."""
    for name, made in PAGES.items():
        (FOLDER / name).write_text(made(), encoding="utf-8")


if __name__ == "__main__":
    main()
