"""The comparison of two replays as a picture: one bar per question, with one scale for all."""

from __future__ import annotations

from collections.abc import Iterator

from towpath.reports.comparison import Comparison, Flow, Users
from towpath.reports.svg import MARGIN, Scale, box, empty, heading, legend, picture, shortened, text

WIDTH = 860
LEFT, RIGHT = 210, 640
ROW, BAR = 26, 16
TOP = 112
TITLE = "What would have changed"
LOOKS = (
    ("hue1", "only before"),
    ("whole", "the same"),
    ("part", "the same messages at other times"),
    ("hue3", "other messages"),
    ("goal", "only after"),
)


def comparison(found: Comparison) -> str:
    """Draw the users of both replays, by flow: who enters, gets messages, and reaches the goals."""
    title = f"{TITLE}: users, {found.before} and {found.after}"
    if not found.flows:
        return empty(WIDTH, title, "No flow was replayed.")
    most = max(_whole(users) for flow in found.flows for _, users in _rows(flow)) or 1
    scale = Scale(0, most, LEFT, RIGHT)
    shapes = [
        heading(TITLE),
        text(
            MARGIN,
            58,
            shortened(f"users; before: {found.before}, after: {found.after}", 800),
            "soft",
        ),
        *legend(LOOKS, 82, WIDTH - MARGIN),
    ]
    y = float(TOP)
    for flow in found.flows:
        only = "" if flow.only is None else f", only {flow.only}"
        shapes.append(text(MARGIN, y + 12, shortened(flow.flow + only, 800, 14), "ink name"))
        y += 26
        for name, users in _rows(flow):
            shapes += _bar(name, users, y, scale)
            y += ROW
        y += 14
    about = "; ".join(
        f"{flow.flow}: {flow.entered.before:,} and {flow.entered.after:,} users enter"
        for flow in found.flows
    )
    return picture(WIDTH, y + 8, title, about, shapes)


def _rows(flow: Flow) -> Iterator[tuple[str, Users]]:
    yield "enter", flow.entered
    yield "get messages", flow.recipients
    for goal in flow.goals:
        yield f"reach {goal.goal}", goal.users


def _whole(users: Users) -> int:
    return users.before + users.only_after


def _bar(name: str, users: Users, y: float, scale: Scale) -> Iterator[str]:
    yield text(LEFT - 12, y + 13, shortened(name, LEFT - 36), "ink", "end")
    parts = (users.only_before, users.same, users.moved, users.other, users.only_after)
    x = float(LEFT)
    for count, (look, words) in zip(parts, LOOKS, strict=True):
        if count:
            width = scale.length(count)
            yield box(x, y, width, BAR, look, f"{name}: {count:,} {words}")
            x += width
    yield text(x + 8, y + 13, f"{users.before:,} → {users.after:,}")
