"""A fixed piece of plain Python: a figure as a multiple of it compares over machines."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import process_time

REPEATS = 7


def turn() -> int:
    """Do what programs do: make a dict, sort its keys, cut and join texts, add numbers."""
    found = {f"key{i}": i * 7 % 11 for i in range(12)}
    names = sorted(found, key=lambda name: (found[name], name))
    joined = ",".join(name[3:] for name in names)
    return sum(len(part) for part in joined.split(",")) + found[names[0]]


def microseconds(work: Callable[[], object], times: int, repeats: int = REPEATS) -> float:
    """Return the median processor time of one call, over several runs of many calls."""
    work()
    runs = []
    for _ in range(repeats):
        begun = process_time()
        for _ in range(times):
            work()
        runs.append((process_time() - begun) / times * 1e6)
    return median(runs)


def yardstick() -> float:
    """Return the microseconds of one turn."""
    return microseconds(turn, 5_000)
