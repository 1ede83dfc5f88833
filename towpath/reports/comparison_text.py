"""The comparison of two replays as text: a table per flow."""

from __future__ import annotations

from collections.abc import Iterator

from towpath.reports.comparison import Comparison, Flow, Pair, Users
from towpath.reports.funnel_text import Paint, plain

HEAD = ("before", "after", "change", "only before", "only after", "changed")
Row = tuple[str, ...]


def to_text(found: Comparison, paint: Paint = plain) -> str:
    """Format the comparison; ``paint`` applies a style to a text."""
    parts = [f"before  {found.before}\nafter   {found.after}"]
    parts += [_flow(flow, paint) for flow in found.flows]
    return "\n\n".join(parts) + "\n"


def _flow(flow: Flow, paint: Paint) -> str:
    if not flow.differ:
        entered = f"{flow.sessions.before:,} sessions of {flow.entered.before:,} users"
        return f"{paint(flow.flow, 'bold')}  no difference: {entered}"
    only = "" if flow.only is None else f"  only {flow.only}"
    rows = list(_rows(flow))
    widths = [max(len(row[i]) for row in [("", *HEAD), *rows]) for i in range(len(HEAD) + 1)]
    lines = [paint(_line(("", *HEAD), widths), "dim"), *(_line(row, widths) for row in rows)]
    return "\n".join([paint(flow.flow, "bold") + only, *lines])


def _line(row: Row, widths: list[int]) -> str:
    name, *cells = row
    last = len(cells) - 1
    padded = (
        cell.ljust(width) if i == last else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths[1:], strict=True))
    )
    return "  ".join(["  " + name.ljust(widths[0]), *padded]).rstrip()


def _rows(flow: Flow) -> Iterator[Row]:
    yield _counts("sessions", flow.sessions)
    yield _users("users who enter", flow.entered)
    yield _counts("messages", flow.messages)
    yield _users("users with messages", flow.recipients)
    for goal in flow.goals:
        yield _users(f"users who reach {goal.goal}", goal.users)
        if goal.sessions != Pair(goal.users.before, goal.users.after):
            yield _counts(f"sessions that reach {goal.goal}", goal.sessions)
        if goal.revenue.before or goal.revenue.after:
            yield _counts(f"value of {goal.goal}", goal.revenue, "{:,.2f}")
    for step in flow.steps:
        if step.reached.differ:
            yield _counts(f"sessions at {step.step}", step.reached)
        if step.messages.differ:
            yield _counts(f"messages of {step.step}", step.messages)


def _counts(name: str, pair: Pair, form: str = "{:,.0f}") -> Row:
    change = pair.after - pair.before
    shown = form.replace(":", ":+").format(change) if change else "."
    return name, form.format(pair.before), form.format(pair.after), shown, "", "", ""


def _users(name: str, users: Users) -> Row:
    row = _counts(name, Pair(users.before, users.after))[:4]
    changed = [(users.other, "other messages"), (users.moved, "at other times")]
    text = ", ".join(f"{count:,} {how}" for count, how in changed if count)
    return *row, _some(users.only_before), _some(users.only_after), text


def _some(count: int) -> str:
    return f"{count:,}" if count else "."
