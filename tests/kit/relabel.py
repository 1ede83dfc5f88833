"""Renames metrics as Prometheus does by ``infra/monitoring/prometheus-flink.yaml``."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

CONFIGURATION = Path("infra/monitoring/prometheus-flink.yaml")


def relabelled(labels: dict[str, str]) -> dict[str, str]:
    """Return the labels of a series, ``__name__`` among them, after all rules."""
    found = dict(labels)
    for rule in yaml.safe_load(CONFIGURATION.read_text())["metric_relabel_configs"]:
        (source,) = rule["source_labels"]
        match = re.fullmatch(rule["regex"], found.get(source, ""))
        if match is not None:
            found[rule["target_label"]] = match.expand(rule["replacement"].replace("$", "\\"))
    return found
