"""A figure is a ratio of two costs that were measured in turns, in one run.

What else runs on the machine slows both, so the ratio stays; and processor time does not count what
others use. The median of the pairs leaves out a disturbed one.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import median
from time import process_time

import msgspec

Spent = dict[str, list[float]]
"""What each contestant took, round by round."""
Growth = dict[str, list[tuple[int, float]]]
"""By what grows: the sizes, and the cost of an event as a multiple of that with the first size."""


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cost as a multiple of its floor, or a size. No time has bounds.

    ``headline`` is for the README.
    """

    name: str
    value: float
    floor: str = ""
    unit: str = "times"
    least: float | None = None
    most: float | None = None
    headline: bool = False

    @property
    def kept(self) -> bool:
        """True within the bounds."""
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)

    def unbounded(self) -> Figure:
        """Return the same without bounds."""
        return msgspec.structs.replace(self, least=None, most=None)

    @property
    def shown(self) -> str:
        """The value with its unit."""
        digits = 0 if self.value >= 100 else 1 if self.value >= 10 else 2
        return f"{self.value:,.{digits}f} {self.unit}"

    @property
    def bound(self) -> str:
        """The bounds in words."""
        if self.least is not None:
            return f"at least {self.least:g}"
        return f"at most {self.most:g}" if self.most is not None else ""

    def __str__(self) -> str:
        fallen = "" if self.kept else ": NOT KEPT"
        name = f"{self.name} : {self.floor}" if self.floor else self.name
        return f"{name:<88} {self.shown:>12}  {self.bound}{fallen}".rstrip()


class Measured(msgspec.Struct, frozen=True):
    """What one run measured, for the pages: figures by section, and the lines of the chart."""

    machine: str
    sections: dict[str, list[Figure]]
    growth: Growth


def show(figures: Iterable[Figure]) -> int:
    """Print figures as they are measured, and those that fell again; return the exit code."""
    fallen = []
    for figure in figures:
        print(figure, flush=True)
        if not figure.kept:
            fallen.append(figure)
    if fallen:
        print("\nthese ratios fell:", *fallen, sep="\n")
    return 1 if fallen else 0


def keep(found: list[Figure], figures: Iterable[Figure]) -> Iterator[Figure]:
    """Add figures to a list as they are measured."""
    for figure in figures:
        found.append(figure)
        yield figure


def in_turns(contestants: Mapping[str, Callable[[], float]], rounds: int) -> Spent:
    """Measure each contestant once a round."""
    spent: Spent = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            spent[name].append(contestant())
    return spent


def ratio(spent: Spent, over: str, under: str) -> float:
    """Return the median ratio of two contestants, round by round."""
    return median(a / b for a, b in zip(spent[over], spent[under], strict=True))


def timed(work: Callable[[], object], times: int) -> Callable[[], float]:
    """Make a contestant of a function: microseconds of processor time of one of many calls."""

    def microseconds() -> float:
        gc.collect()
        for _ in range(times // 10):  # the collector leaves nothing in the processor's caches
            work()
        begun = process_time()
        for _ in range(times):
            work()
        return (process_time() - begun) / times * 1e6

    return microseconds
