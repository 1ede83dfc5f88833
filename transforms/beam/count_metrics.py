"""Counts the metrics of ``transforms.hosting.job_metrics`` in DoFns."""

from __future__ import annotations

from functools import cache
from typing import Any

from apache_beam.metrics import Metrics

from transforms.hosting import counts
from transforms.hosting.job_metrics import NAMESPACE, JobMetric


@cache
def _counter(name: str) -> Any:
    return Metrics.counter(NAMESPACE, name)


@cache
def _distribution(name: str) -> Any:
    return Metrics.distribution(NAMESPACE, name)


def update(metric: JobMetric, number: int, value: str = "") -> None:
    """Add a number to a distribution."""
    _distribution(metric.of(value)).update(number)


def count(name: str, number: int) -> None:
    """Add to a counter."""
    _counter(name).inc(number)


class Counts(counts.Counts):
    """The counts of one bundle."""

    def __init__(self) -> None:
        super().__init__(count)
