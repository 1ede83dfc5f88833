"""The funnel of each flow: one bar per step, as long as its share of the sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from towpath.reports.funnel import Flow, Step
from towpath.reports.svg import MARGIN, Scale, box, empty, heading, legend, picture, shortened, text

WIDTH = 860
LEFT, RIGHT = 190, 600
ROW, BAR = 26, 16
TOP = 92
TITLE = "Funnel by flow"
LEGEND = (
    ("whole", "sessions that reached the step"),
    ("part", "sessions with a message"),
    ("goal", "sessions that reached the goal"),
)


def funnel(flows: Sequence[Flow]) -> str:
    """Draw the funnels of all flows, one below the other."""
    if not flows:
        return empty(WIDTH, TITLE, "No flow was replayed.")
    shapes = [heading(TITLE), *legend(LEGEND, 60, WIDTH - MARGIN)]
    y = float(TOP)
    for flow in flows:
        drawn, y = _flow(flow, y)
        shapes += drawn
    about = "; ".join(f"{flow.flow}: {flow.entered:,} sessions entered" for flow in flows)
    return picture(WIDTH, y + 12, TITLE, about, shapes)


def _flow(flow: Flow, y: float) -> tuple[list[str], float]:
    name = f"{flow.flow}: {flow.entered:,} sessions of {flow.users:,} users"
    if flow.holdout:
        name += f", {flow.holdout:,} in the holdout"
    shapes = [text(MARGIN, y + 12, shortened(name, WIDTH - 2 * MARGIN, 14), "ink name")]
    y += 26
    for step in flow.steps:
        shapes += _step(flow, step, y)
        y += ROW
    for goal in flow.goals:
        outside = flow.entered - flow.holdout
        count = f"{goal.converted:,}, {goal.rate:.1%}"
        tip = f"{goal.goal}: {count} of {outside:,} sessions"
        shapes += _row(goal.goal, y, "soft", _width(goal.converted, outside), "goal", tip, count)
        y += ROW
    return shapes, y + 18


def _step(flow: Flow, step: Step, y: float) -> Iterator[str]:
    tip = f"{step.step}: {step.reached:,} of {flow.entered:,} sessions"
    width = _width(step.reached, flow.entered)
    yield from _row(step.step, y, "ink", width, "whole", tip, _counts(step))
    if step.messages:
        part = _width(min(step.messages, step.reached), flow.entered)
        yield box(LEFT, y, part, BAR, "part", f"{step.messages:,} messages")


def _row(
    name: str, y: float, ink: str, width: float, look: str, tip: str, count: str
) -> Iterator[str]:
    """Draw one row: its name, its bar and the count behind it."""
    yield text(LEFT - 12, y + 13, shortened(name, LEFT - 36), ink, "end")
    yield box(LEFT, y, width, BAR, look, tip)
    yield text(LEFT + width + 8, y + 13, count)


def _counts(step: Step) -> str:
    parts = [f"{step.reached:,}"]
    if step.messages and step.messages != step.reached:
        parts.append(f"{step.messages:,} messages")
    if step.waiting:
        parts.append(f"{step.waiting:,} waiting")
    return ", ".join(parts)


def _width(count: int, whole: int) -> float:
    if not count or not whole:
        return 0
    return max(1.5, Scale(0, whole, LEFT, RIGHT).length(min(count, whole)))
