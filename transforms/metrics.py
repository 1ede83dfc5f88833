"""Metrics of steps and flows, counted from output rows only (R25).

Every metric is a sum, so rows may come in any order, partial counts can be merged, and a recount
from the raw rows gives the same numbers. Counts are per minute; hours and days are their sums. Money
is counted in whole ten-thousandths, so sums are exact. Distinct users of a period are no sum: a
query counts them in the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from math import isfinite
from typing import Literal

import msgspec

from transforms.flows.protocol.outputs import (
    AnyOutput,
    Call,
    Communication,
    Conversion,
    Message,
    Rejection,
    Transition,
)

Window = Literal["minute", "hour", "day"]
WINDOWS: dict[Window, int] = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
MONEY = {"revenue", "holdout_revenue", "cost", "reported_cost"}
UNIT = 10_000
WITHHELD = {"skipped", "expired", "canceled"}
BEFORE_DELIVERY = {"planned", "active"}


class StepMetric(msgspec.Struct, frozen=True, gc=False, tag_field="is", tag="step_metric"):
    """One metric of a step in one window; the fields of ``step_metric.avsc``.

    ``arrivals`` (total engagements), ``first_arrivals`` (unique ones), ``left``,
    ``time_in_step`` (ms, summed over those that left), ``messages`` (including API calls),
    ``calls`` by kind, ``suppressed`` by reason, each status of a communication by its name,
    ``parts`` (segments of messages), ``cost`` by price, ``reported_cost`` by delivery reports,
    ``conversions``, ``first_conversions`` (of users) and ``revenue`` by goal. Sessions in the flow's holdout have metrics of their
    own, with the prefix ``holdout_``.
    """

    window: Window
    start: int
    flow: str
    version: int
    step: str
    metric: str
    reason: str
    value: float


class FlowMetric(msgspec.Struct, frozen=True, gc=False, tag_field="is", tag="flow_metric"):
    """One metric of a flow in one window; the fields of ``flow_metric.avsc``.

    ``entries``, ``exits`` and ``refusals`` by reason, ``messages``, ``parts``, ``cost``, ``reported_cost``, ``goals``, ``first_goals`` (of users)
    and ``revenue`` by goal.
    """

    window: Window
    start: int
    flow: str
    version: int | None
    metric: str
    reason: str
    value: float


Metric = StepMetric | FlowMetric


class Key(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The key of a metric; ``step`` None means the flow as a whole."""

    start: int
    flow: str
    version: int | None
    step: str | None
    metric: str
    reason: str


Counts = dict[Key, int]
"""Sums by minute."""

VERSION = 1


class _Stored(msgspec.Struct, array_like=True):
    """Counts as a runner keeps them between two bundles; a released field never changes."""

    version: int
    sums: list[tuple[Key, int]]


_decode = msgspec.msgpack.Decoder(_Stored).decode


def encode(counts: Counts) -> bytes:
    """Encode counts, in order, for the state of a runner."""
    ordered = sorted(counts.items(), key=lambda item: _order(item[0]))
    return msgspec.msgpack.encode(_Stored(VERSION, ordered))


def decode(data: bytes) -> Counts:
    """Decode counts; raise ``ValueError`` for those of a newer release."""
    stored = _decode(data)
    if stored.version > VERSION:
        raise ValueError(f"counts of version {stored.version}; this release reads {VERSION}")
    return dict(stored.sums)


def add(counts: Counts, row: AnyOutput) -> Counts:
    """Add a row to ``counts`` in place; kinds without a metric are ignored."""
    match row:
        case Transition():
            _transition(counts, row)
        case Communication():
            _communication(counts, row)
        case Message():
            _message(counts, row)
        case Call():
            _call(counts, row)
        case Conversion():
            _conversion(counts, row)
        case Rejection():
            key = Key(_minute(row.at), row.flow or "", None, None, "refusals", row.reason)
            counts[key] = counts.get(key, 0) + 1
        case _:
            pass
    return counts


def _transition(counts: Counts, row: Transition) -> None:
    prefix = "holdout_" if row.silent else ""
    match row.what:
        case "entered":
            _count(counts, row, None, prefix + "entries")
        case "reached":
            _count(counts, row, row.step, prefix + "arrivals")
            if row.first_arrival:
                _count(counts, row, row.step, prefix + "first_arrivals")
        case "left":
            _count(counts, row, row.step, prefix + "left")
            if row.since is not None:
                spent = row.at - row.since
                _count(counts, row, row.step, prefix + "time_in_step", amount=spent)
        case "ended":
            _count(counts, row, None, prefix + "exits", row.reason or "completed")


def _communication(counts: Counts, row: Communication) -> None:
    if row.status in WITHHELD and row.reason is not None:
        _count(counts, row, row.step, "suppressed", row.reason)
    elif row.status not in BEFORE_DELIVERY:
        _count(counts, row, row.step, row.status)
    _worth(counts, row)


def _worth(counts: Counts, row: Communication) -> None:
    if row.parts is not None:
        _both(counts, row, "parts", row.parts)
    if row.cost is not None:
        _both(counts, row, "cost", money(row.cost))
    if row.reported_cost is not None:
        _both(counts, row, "reported_cost", money(row.reported_cost))


def _both(counts: Counts, row: Communication, metric: str, amount: int) -> None:
    """Count a metric for the step and for the flow."""
    for step in (row.step, None):
        _count(counts, row, step, metric, amount=amount)


def _message(counts: Counts, row: Message) -> None:
    for step in (row.step, None):
        _count(counts, row, step, "messages")


def _call(counts: Counts, row: Call) -> None:
    """Count a call by its kind; an API call is a message, too (I25)."""
    _count(counts, row, row.step, "calls", row.kind)
    if row.kind == "api":
        for step in (row.step, None):
            _count(counts, row, step, "messages")


def _conversion(counts: Counts, row: Conversion) -> None:
    prefix = "holdout_" if row.silent else ""
    value = money(row.value or 0.0)
    _count(counts, row, None, prefix + "goals", row.goal)
    if row.first_conversion:
        _count(counts, row, None, prefix + "first_goals", row.goal)
    _count(counts, row, None, prefix + "revenue", row.goal, value)
    for step in sorted(set(row.steps)):
        _count(counts, row, step, prefix + "conversions", row.goal)
        if row.first_conversion:
            _count(counts, row, step, prefix + "first_conversions", row.goal)
        _count(counts, row, step, prefix + "revenue", row.goal, value)


def _count(
    counts: Counts,
    row: Transition | Communication | Message | Call | Conversion,
    step: str | None,
    metric: str,
    reason: str = "",
    amount: int = 1,
) -> None:
    key = Key(_minute(row.at), row.flow, row.version, step, metric, reason)
    counts[key] = counts.get(key, 0) + amount


def _minute(at: int) -> int:
    return at - at % WINDOWS["minute"]


def money(value: float) -> int:
    """Round an amount to whole ten-thousandths, half to even; 0 if it is not finite."""
    if not isfinite(value):
        return 0
    exact = Decimal(repr(value)) * UNIT
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def merge(parts: Iterable[Counts]) -> Counts:
    """Add up counts into new ones."""
    merged: Counts = {}
    for part in parts:
        for key, amount in part.items():
            merged[key] = merged.get(key, 0) + amount
    return merged


def rows(counts: Counts) -> list[Metric]:
    """List the metrics by minute, hour and day, in order; sums of zero are left out."""
    return [row for window, size in WINDOWS.items() for row in _window(counts, window, size)]


def _window(counts: Counts, window: Window, size: int) -> Iterator[Metric]:
    totals: Counts = {}
    for key, amount in counts.items():
        wide = msgspec.structs.replace(key, start=key.start - key.start % size)
        totals[wide] = totals.get(wide, 0) + amount
    for key in sorted(totals, key=_order):
        if totals[key]:
            yield metric_of(window, key, totals[key])


def _order(key: Key) -> tuple[int, str, int, str, str, str]:
    version = -1 if key.version is None else key.version
    return key.start, key.flow, version, key.step or "", key.metric, key.reason


def metric_of(window: Window, key: Key, total: int) -> Metric:
    """Return the sum of a key as the metric of a window."""
    value = total / UNIT if key.metric in MONEY else float(total)
    if key.step is None:
        return FlowMetric(window, key.start, key.flow, key.version, key.metric, key.reason, value)
    return StepMetric(
        window, key.start, key.flow, key.version or 0, key.step, key.metric, key.reason, value
    )
