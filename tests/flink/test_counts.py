"""Counts of the functions of Flink."""

from __future__ import annotations

from collections import Counter

from transforms.flink.count_metrics import FlinkCounts
from transforms.hosting import job_metrics


class Metrics:
    """Flink's metric group in memory."""

    def __init__(self) -> None:
        self.counts = Counter[str]()
        self.gauges: dict[str, list[int]] = {}
        self.groups: list[str] = []

    def get_metrics_group(self) -> Metrics:
        return self

    def add_group(self, name: str) -> Metrics:
        self.groups.append(name)
        return self

    def counter(self, name: str) -> Adder:
        return Adder(self, name)

    def distribution(self, name: str) -> Adder:
        return Adder(self, name)


class Adder:
    """A counter or a distribution."""

    def __init__(self, metrics: Metrics, name: str) -> None:
        self.metrics, self.name = metrics, name

    def inc(self, number: int) -> None:
        self.metrics.counts[self.name] += number

    def update(self, number: int) -> None:
        self.metrics.gauges.setdefault(self.name, []).append(number)


def test_counts_are_sent_once_a_second() -> None:
    """Counts are added up, and sent with the first element after a second, by their usual names."""
    metrics, now = Metrics(), [0.0]
    counts = FlinkCounts(metrics, lambda: now[0])

    for number in (3, 9, 4):
        counts.add(job_metrics.SIGNALS)
        counts.update(job_metrics.STATE_SIZE, number)
        counts.tick()
    assert (metrics.counts, metrics.gauges) == ({}, {})
    now[0] = 1.0
    counts.tick()

    assert metrics.groups == [job_metrics.NAMESPACE]
    assert metrics.counts == {"signals": 3}
    assert metrics.gauges == {"state_size": [9]}


def test_what_is_left_is_sent_at_the_end() -> None:
    """A function that ends sends what it has counted, once."""
    metrics = Metrics()
    counts = FlinkCounts(metrics)
    counts.add(job_metrics.DEAD_LETTERS, 2, "failed")
    counts.flush()
    counts.flush()

    assert metrics.counts == {"dead_letters.failed": 2}
