"""Counts the metrics of ``transforms.hosting.job_metrics`` in functions of Flink.

Each call of Flink's counters crosses to Java, so counts are sent at most once a second, with the next
element. A distribution is a gauge, which shows the largest number of that second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from transforms.hosting.counts import Counts
from transforms.hosting.job_metrics import NAMESPACE

PACE: Final = 1.0


class FlinkCounts(Counts):
    """The counts of a function; ``context`` is Flink's runtime context."""

    def __init__(self, context: Any, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(self._count, self._keep_largest)
        self._group = context.get_metrics_group().add_group(NAMESPACE)
        self._counters: dict[str, Any] = {}
        self._gauges: dict[str, Any] = {}
        self._largest: dict[str, int] = {}
        self._now = now
        self._next = now() + PACE

    def tick(self) -> None:
        """Send what was counted, unless that was done less than a second ago."""
        now = self._now()
        if now >= self._next:
            self._next = now + PACE
            self.flush()

    def flush(self) -> None:
        super().flush()
        largest, self._largest = self._largest, {}
        for name, number in largest.items():
            gauge = self._gauges.get(name)
            if gauge is None:
                gauge = self._gauges[name] = self._group.distribution(name)
            gauge.update(number)

    def _keep_largest(self, name: str, number: int) -> None:
        if number >= self._largest.get(name, number):
            self._largest[name] = number

    def _count(self, name: str, number: int) -> None:
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = self._group.counter(name)
        counter.inc(number)
