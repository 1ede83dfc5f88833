"""The funnel of each flow: one bar per step, as long as its share of the flow's sessions.

All bars of the picture have one scale. Steps of a branch are indented below the step that branches.
"""

from __future__ import annotations

from collections.abc import Iterator

from towpath.reports.funnel import Flow, Report, Split, Step
from towpath.reports.funnel_text import percent, shares
from towpath.reports.svg import (
    MARGIN,
    Scale,
    box,
    empty,
    heading,
    legend,
    line,
    picture,
    shortened,
    text,
)
from transforms.flows.clock.zones import iso

WIDTH = 860
LEFT, RIGHT = 200, 540
ROW, BAR = 26, 16
INDENT = 16
DEEPEST = 4
TOP = 130
TITLE = "Funnel by flow"
LEGEND = (
    ("whole", "sessions that reached the step"),
    ("part", "sessions with a message"),
    ("goal", "sessions that reached the goal"),
)
TICKS = 4


def funnel(report: Report) -> str:
    """Draw the funnels of all flows, one below the other, on one scale."""
    title = f"{TITLE}: {report.run}" if report.run else TITLE
    if not report.flows:
        return empty(WIDTH, title, "No flow was replayed.")
    drawing = _Drawing(max(1, *(_most(flow) for flow in report.flows)))
    y = float(TOP)
    shapes: list[str] = []
    for flow in report.flows:
        drawn, y = drawing.flow(flow, y)
        shapes += drawn
    about = "; ".join(f"{flow.flow}: {flow.entered:,} sessions entered" for flow in report.flows)
    head = [
        heading(title),
        text(MARGIN, 58, shortened(_span(report), WIDTH - 2 * MARGIN), "soft small"),
        *legend(LEGEND, 82, WIDTH - MARGIN),
        *drawing.axis(),
    ]
    return picture(WIDTH, y + 12, title, about, [*head, *shapes])


def _span(report: Report) -> str:
    """Return the period of the entries, with full dates."""
    firsts = [flow.first for flow in report.flows if flow.first is not None]
    lasts = [flow.last for flow in report.flows if flow.last is not None]
    until = f"replayed until {iso(report.until)[:10]}"
    if not firsts:
        return f"no entries, {until}"
    return f"entries from {iso(min(firsts))[:10]} to {iso(max(lasts))[:10]}, {until}"


def _most(flow: Flow) -> int:
    """Return how often the busiest step was reached per session, rounded up: loops exceed 1."""
    most = max((step.reached for step in flow.steps), default=0)
    return -(-most // flow.entered) if flow.entered else 1


class _Drawing:
    """The scale that all flows share: 1 is every session of a flow."""

    def __init__(self, most: int) -> None:
        self.scale = Scale(0, most, LEFT, RIGHT)
        self.most = most

    def ticks(self) -> Iterator[tuple[float, float]]:
        for tick in range(TICKS + 1):
            share = self.most * tick / TICKS
            yield share, self.scale.at(share)

    def axis(self) -> Iterator[str]:
        for share, x in self.ticks():
            yield text(x, TOP - 18, f"{share:.0%}", "soft small", "middle")
        yield text(RIGHT + 24, TOP - 18, "of the flow's sessions", "soft small")

    def flow(self, flow: Flow, y: float) -> tuple[list[str], float]:
        name = f"{flow.flow}: {flow.entered:,} sessions of {flow.users:,} users"
        if flow.holdout:
            name += f", {flow.holdout:,} in the holdout"
        words = shortened(name, WIDTH - 2 * MARGIN, 14)
        shapes = [text(MARGIN, y + 12, words, "ink name")]
        y += 26
        top = y - 6
        depths = _depths(flow)
        rows: dict[str, float] = {}
        for step in flow.steps:
            depth = min(depths[step.step], DEEPEST)
            if depth:
                shapes += _elbow(rows.get(next(iter(step.sources)), y - ROW), y, depth)
            rows[step.step] = y
            shapes += self.step(flow, step, y, depth)
            y += ROW
        outside = flow.entered - flow.holdout
        for goal in flow.goals:
            count = (
                f"{goal.converted:,}, {goal.rate:.1%}; {goal.users:,} users, {goal.user_rate:.1%}"
            )
            tip = (
                f"{goal.goal}: {goal.converted:,} of {outside:,} sessions, {goal.rate:.1%}; "
                f"{goal.users:,} of {flow.treated:,} users, {goal.user_rate:.1%}"
            )
            shapes += self.row(goal.goal, y, "soft", goal.rate, "goal", tip, count)
            y += ROW
        for split in flow.splits:
            drawn, y = self.split(flow, split, y)
            shapes += drawn
        grid = [line(x, top, x, y - 4, "line") for _, x in self.ticks()]
        return [*grid, *shapes], y + 18

    def step(self, flow: Flow, step: Step, y: float, depth: int) -> Iterator[str]:
        tip = f"{step.step}: {step.reached:,} of {flow.entered:,} sessions"
        share = _share(step.reached, flow.entered)
        counts = _counts(flow, step)
        yield from self.row(step.step, y, "ink", share, "whole", tip, counts, depth)
        if step.messages:
            part = _share(min(step.messages, step.reached), flow.entered)
            yield box(LEFT, y, self.width(part), BAR, "part", f"{step.messages:,} messages")

    def split(self, flow: Flow, split: Split, y: float) -> tuple[list[str], float]:
        """Draw the variants of a split side by side: the share of each that reached the goals."""
        shapes = []
        for goal in flow.goals:
            head = f"{split.step}: {goal.goal} by variant"
            shapes.append(text(MARGIN, y + 13, shortened(head, LEFT + 200), "soft"))
            y += ROW - 4
            for variant in split.variants:
                reached = variant.goals.get(goal.goal, 0)
                share = _share(reached, variant.sessions)
                count = f"{reached:,} of {variant.sessions:,} sessions, {share:.1%}"
                tip = f"{variant.variant}: {count}"
                shapes += self.row(variant.variant, y, "ink", share, "goal", tip, count, 1)
                y += ROW - 4
        return shapes, y

    def row(
        self,
        name: str,
        y: float,
        ink: str,
        share: float,
        look: str,
        tip: str,
        count: str,
        depth: int = 0,
    ) -> Iterator[str]:
        """Draw one row: its name, its bar and the count behind it."""
        left = MARGIN + INDENT * depth
        width = self.width(share)
        yield text(left, y + 13, shortened(name, LEFT - 8 - left), ink)
        yield box(LEFT, y, width, BAR, look, tip)
        room = WIDTH - LEFT - width - 16
        yield text(LEFT + width + 8, y + 13, shortened(count, room, 12))

    def width(self, share: float) -> float:
        return max(1.5, self.scale.length(share)) if share else 0


def _elbow(above: float, y: float, depth: int) -> Iterator[str]:
    """Connect a branch with the step that it comes from."""
    x = MARGIN + INDENT * (depth - 1) + 5
    yield line(x, above + BAR + 2, x, y + BAR / 2, "axis")
    yield line(x, y + BAR / 2, x + INDENT - 8, y + BAR / 2, "axis")


def _depths(flow: Flow) -> dict[str, int]:
    """Return how deep each step is indented: a branch below its step, until the branches join."""
    targets: dict[str, int] = {}
    for step in flow.steps:
        for source in step.sources:
            targets[source] = targets.get(source, 0) + 1
    found: dict[str, int] = {"": 0}
    for step in flow.steps:
        depths = [found[source] for source in step.sources if source in found]
        depth = min(depths, default=0)
        if len(step.sources) == 1:
            (source,) = step.sources
            depth += bool(source) and targets[source] > 1 and source in found
        elif len(depths) > 1 and depth:
            depth -= 1
        found[step.step] = depth
    return found


def _counts(flow: Flow, step: Step) -> str:
    parts = [f"{step.reached:,}"]
    found = shares(flow, step)
    if len(found) == 1:
        parts.append(found[0])
    elif found:
        parts.append(f"{percent(_share(step.reached, flow.entered))} of entries")
    if step.messages and step.messages != step.reached:
        parts.append(f"{step.messages:,} messages")
    if step.waiting:
        parts.append(f"{step.waiting:,} waiting")
    return ", ".join(parts)


def _share(count: int, whole: int) -> float:
    return count / whole if whole else 0.0
