"""Counts the metrics of ``transforms.hosting.job_metrics`` in DoFns."""

from __future__ import annotations

from functools import cache
from typing import Any

from apache_beam.metrics import Metrics

from transforms.hosting.counts import Counts
from transforms.hosting.job_metrics import NAMESPACE


@cache
def _counter(name: str) -> Any:
    return Metrics.counter(NAMESPACE, name)


@cache
def _distribution(name: str) -> Any:
    return Metrics.distribution(NAMESPACE, name)


def _count(name: str, number: int) -> None:
    _counter(name).inc(number)


def _update(name: str, number: int) -> None:
    _distribution(name).update(number)


def beam_counts() -> Counts:
    """Return the counts of a DoFn, which sends them after each bundle."""
    return Counts(_count, _update)
