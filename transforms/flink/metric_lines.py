"""What the outputs of a step add to metrics, as one text for Flink's SQL, which is cheap to hand over.

A line is an amount, a minute (ms) and the name of a number, between tabs. A name is JSON without white
space that needs escapes, so that it has neither tabs nor ends of lines.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import OutputTag

from transforms import metrics
from transforms.flows.protocol.outputs import AnyOutput
from transforms.metrics import Counts, Key

ADDED = OutputTag("metrics", Types.ROW_NAMED(["at", "lines"], [Types.LONG(), Types.STRING()]))
"""The side output of the steps that metrics count: the time of the newest line, and the lines."""

MOST = 10**34
"""Amounts are cut to this, since the sums of SQL have 38 digits."""


class Name(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The name of a number: all of its metric but the window."""

    space: str
    flow: str
    version: int | None
    step: str | None
    metric: str
    reason: str


_encode = msgspec.json.Encoder().encode
read_name = msgspec.json.Decoder(Name).decode


def added(space: str, outputs: Iterable[AnyOutput]) -> Row | None:
    """Return what outputs add to metrics; None if that is nothing."""
    lines: list[str] = []
    newest = 0
    for output in outputs:
        counts: Counts = {}
        for key, amount in metrics.add(counts, output).items():
            if amount:
                lines.append(_line(space, key, amount))
                newest = max(newest, key.start)
    return Row(newest, "\n".join(lines)) if lines else None


def _line(space: str, key: Key, amount: int) -> str:
    name = _encode(Name(space, key.flow, key.version, key.step, key.metric, key.reason)).decode()
    return f"{max(-MOST, min(MOST, amount))}\t{key.start}\t{name}"
