"""The funnel of each flow: one bar a step, as long as the share of sessions that reached it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from towpath.reports.funnel import Flow, Step
from towpath.reports.svg import box, picture, shortened, text

WIDTH = 860
LEFT, RIGHT = 190, 600
ROW, BAR = 26, 16
TOP = 92


def funnel(flows: Sequence[Flow]) -> str:
    """Draw the funnels of all flows, one below the other."""
    shapes = [text(24, 36, "How far sessions came", "ink title"), *_legend(60)]
    y = float(TOP)
    for flow in flows:
        drawn, y = _flow(flow, y)
        shapes += drawn
    if not flows:
        shapes.append(text(24, y, "No flow was replayed.", "soft"))
    about = "; ".join(f"{flow.flow}: {flow.entered:,} sessions entered" for flow in flows)
    return picture(WIDTH, y + 12, "How far sessions came", about, shapes)


def _legend(y: float) -> Iterator[str]:
    x = 24.0
    for look, words in (
        ("whole", "reached the step"),
        ("part", "of these, were decided a message"),
        ("goal", "reached the goal"),
    ):
        yield box(x, y - 10, 12, 12, look)
        yield text(x + 18, y, words, "soft small")
        x += 40 + len(words) * 6.6


def _flow(flow: Flow, y: float) -> tuple[list[str], float]:
    name = f"{flow.flow}: {flow.entered:,} sessions of {flow.users:,} users"
    if flow.holdout:
        name += f", {flow.holdout:,} in the holdout"
    shapes = [text(24, y + 12, shortened(name, WIDTH - 48, 14), "ink name")]
    y += 26
    for step in flow.steps:
        shapes += _step(flow, step, y)
        y += ROW
    for goal in flow.goals:
        outside = flow.entered - flow.holdout
        width = _width(goal.converted, outside)
        said = f"{goal.converted:,}, {goal.rate:.1%}"
        shapes.append(text(LEFT - 12, y + 13, shortened(goal.goal, LEFT - 36), "soft", "end"))
        shapes.append(box(LEFT, y, width, BAR, "goal", f"{goal.goal}: {said} of {outside:,}"))
        shapes.append(text(LEFT + width + 8, y + 13, said))
        y += ROW
    return shapes, y + 18


def _step(flow: Flow, step: Step, y: float) -> Iterator[str]:
    whole = _width(step.reached, flow.entered)
    tip = f"{step.step}: {step.reached:,} of {flow.entered:,} sessions"
    yield text(LEFT - 12, y + 13, shortened(step.step, LEFT - 36), "ink", "end")
    yield box(LEFT, y, whole, BAR, "whole", tip)
    if step.messages:
        part = _width(min(step.messages, step.reached), flow.entered)
        yield box(LEFT, y, part, BAR, "part", f"{step.messages:,} messages decided")
    yield text(LEFT + whole + 8, y + 13, _said(step))


def _said(step: Step) -> str:
    parts = [f"{step.reached:,}"]
    if step.messages and step.messages != step.reached:
        parts.append(f"{step.messages:,} messages")
    if step.waiting:
        parts.append(f"{step.waiting:,} waiting")
    return ", ".join(parts)


def _width(count: int, whole: int) -> float:
    if not count or not whole:
        return 0
    return max(1.5, min(1.0, count / whole) * (RIGHT - LEFT))
