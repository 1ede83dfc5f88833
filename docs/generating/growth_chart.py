"""The chart of how the cost of an event grows. Both axes are logarithmic."""

from __future__ import annotations

from collections.abc import Iterator
from math import log10

from benchmarks.ratios import Growth
from towpath.reports.svg import (
    MARGIN,
    PALETTE,
    Scale,
    box,
    heading,
    line,
    picture,
    text,
)

WIDTH, TOP, BOTTOM = 860, 92, 384
LEFT, RIGHT = 64, 520
LABELS = RIGHT + 22
ROOM = 22
TITLE = "The cost of an event as flows, sessions and users grow"
TICKS = (1, 2, 5, 10, 20, 50, 100)
SIZES = (1, 3, 10, 30, 100, 300)


def chart(growth: Growth) -> str:
    """Draw a line for everything that grows."""
    most = max(size for points in growth.values() for size, _ in points)
    dearest = max(cost for points in growth.values() for _, cost in points)
    x = Scale(0, log10(most), LEFT, RIGHT)
    top = next(tick for tick in (*TICKS, dearest) if tick >= dearest)
    y = Scale(log10(0.7), log10(top), BOTTOM, TOP)
    shapes = [_strokes(), heading(TITLE)]
    shapes.append(
        text(MARGIN, 62, "times the cost with one; both axes are logarithmic", "soft small")
    )
    for tick in (tick for tick in TICKS if tick <= top):
        at = y.at(log10(tick))
        shapes += [
            line(LEFT, at, RIGHT, at, "line"),
            text(LEFT - 8, at + 4, f"{tick}×", "soft small", "end"),
        ]
    for size in (size for size in SIZES if size <= most):
        at = x.at(log10(size))
        shapes += [
            line(at, BOTTOM, at, BOTTOM + 5, "axis"),
            text(at, BOTTOM + 20, f"{size}", "soft small", "middle"),
        ]
    shapes.append(line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"))
    shapes.append(
        text(
            (LEFT + RIGHT) / 2,
            BOTTOM + 42,
            "number of flows, sessions, or times the users of the sample",
            "soft small",
            "middle",
        )
    )
    end = log10(min(top, most))
    shapes.append(line(x.at(0), y.at(0), x.at(end), y.at(end), "even"))
    shapes.append(text(x.at(end) - 30, y.at(end) + 16, "in proportion", "soft small", "end"))
    shapes += _lines(growth, x, y)
    about = "; ".join(
        f"{points[-1][0]} {name}: {points[-1][1]:.1f} times" for name, points in growth.items()
    )
    return picture(WIDTH, BOTTOM + 62, TITLE, about, shapes)


def _lines(growth: Growth, x: Scale, y: Scale) -> Iterator[str]:
    ends = sorted(growth, key=lambda name: -growth[name][-1][1])
    label = float("-inf")
    for number, name in enumerate(ends):
        points = [(x.at(log10(size)), y.at(log10(cost))) for size, cost in growth[name]]
        path = " ".join(f"{left:.1f},{top:.1f}" for left, top in points)
        yield f'<polyline class="stroke{number}" points="{path}"/>'
        for (left, top), (size, cost) in zip(points, growth[name], strict=True):
            yield box(
                left - 3.5, top - 3.5, 7, 7, f"hue{number}", f"{size} {name}: {cost:.2f} times"
            )
        size, cost = growth[name][-1]
        label = max(label + 2 * ROOM, points[-1][1])
        yield box(LABELS, label - 9, 10, 10, f"hue{number}")
        yield text(LABELS + 18, label, name, "ink small")
        yield text(LABELS + 18, label + 16, f"{size}: {cost:.1f} times", "soft small")


def _strokes() -> str:
    light, dark = (
        " ".join(f".stroke{n} {{ stroke: {pair[theme]} }}" for n, pair in enumerate(PALETTE))
        for theme in (0, 1)
    )
    return (
        "<style>polyline { fill: none; stroke-width: 2; stroke-linejoin: round } "
        f".even {{ stroke: #8a96a3; stroke-dasharray: 4 4 }} {light} "
        f"@media (prefers-color-scheme: dark) {{ {dark} }}</style>"
    )
