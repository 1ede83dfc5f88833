"""What a job of ``benchmarks.flink`` writes at its end; it is read where there is no PyFlink."""

from __future__ import annotations

import msgspec

Parts = dict[str, float]


class Spent(msgspec.Struct, frozen=True):
    """What some elements took, in seconds: CPU of the operator's thread, the clock, and parts of the CPU."""

    elements: int
    cpu: float
    wall: float
    parts: Parts
