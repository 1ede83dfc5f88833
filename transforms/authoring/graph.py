"""A flow as a graph, for pictures and for editors; the nodes are in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, assert_never

import msgspec

from transforms.authoring.summary import summary_of, trigger_texts, ways_of
from transforms.flows.definitions.flow import (
    ExitAudience,
    ExitEvent,
    ExitRule,
    ExitWhen,
    Flow,
    Goal,
    GoalAudience,
    GoalEvent,
    GoalWhen,
)
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.values import EventMatch, Reenter
from transforms.flows.expressions.syntax.ast import Expr

Kind = Literal["enter", "wait", "decide", "send", "effect", "end", "exit", "goal"]

COLOURS: dict[Kind, tuple[str, str]] = {
    "enter": ("#15803d", "#4ade80"),
    "wait": ("#b45309", "#fbbf24"),
    "decide": ("#6d28d9", "#c4b5fd"),
    "send": ("#1d4ed8", "#93c5fd"),
    "effect": ("#0f766e", "#5eead4"),
    "end": ("#475569", "#cbd5e1"),
    "exit": ("#b91c1c", "#fca5a5"),
    "goal": ("#a16207", "#fde047"),
}
"""The color of each kind, in light and in dark."""

END = "@end"
"""The node for sessions that end without an ``end`` step."""


class Node(msgspec.Struct, frozen=True, gc=False):
    """A box: ``id`` is the name of the step; other ids begin with ``@``.

    ``aside`` marks boxes outside the order of the steps (exit rules, goals, on exit).
    """

    id: str
    kind: Kind
    caption: str
    title: str
    details: tuple[str, ...] = ()
    aside: bool = False


class Edge(msgspec.Struct, frozen=True, gc=False):
    """An arrow from one box to another; the label is its condition."""

    source: str
    target: str
    label: str = ""


class Graph(msgspec.Struct, frozen=True, gc=False):
    """A flow to draw; ``facts`` are its settings on one line."""

    id: str
    title: str
    about: str
    facts: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph_of(flow: Flow) -> Graph:
    """Build the graph of a flow: triggers, steps and ends; beside them exit rules and goals."""
    triggers = [_trigger(number, t) for number, t in enumerate(flow.enter)]
    first = flow.steps[0].name if flow.steps else END
    edges = [Edge(node.id, first) for node in triggers]
    for step in flow.steps:
        edges += [Edge(step.name, to or END, label) for label, to in ways_of(step)]
    steps = [_step(step) for step in flow.steps]
    if any(edge.target == END for edge in edges):
        steps.append(Node(END, "end", "End", "completed"))
    nodes = (*triggers, *steps, *_asides(flow))
    return Graph(flow.id, flow.id, flow.about, _facts(flow), nodes, tuple(edges))


def _facts(flow: Flow) -> str:
    parts = []
    if flow.key is not None:
        parts.append(f"one session per {flow.key.text}")
    if flow.campaign:
        parts.append(f"campaign {flow.campaign}")
    if flow.simultaneous:
        parts.append("several sessions at once")
    parts.append(_again(flow.reenter))
    if flow.holdout:
        parts.append(f"holdout {flow.holdout}%")
    if flow.group:
        parts.append(f"group {flow.group}")
    if flow.schedule.start:
        parts.append(f"from {flow.schedule.start}")
    if flow.schedule.end:
        parts.append(f"until {flow.schedule.end}")
    if flow.zone:
        parts.append(flow.zone)
    return " · ".join(part for part in parts if part)


def _again(reenter: Reenter | None) -> str:
    if reenter is None:
        return ""
    if not reenter.allowed:
        return "each user once"
    parts = [f"re-entry {reenter.after.text} after the last exit"] if reenter.after else []
    parts += [
        f"at most {limit.most} {'entry' if limit.most == 1 else 'entries'} per {limit.per.text}"
        for limit in reenter.limits
    ]
    return ", ".join(parts)


# --- entry, exit, goals ----------------------------------------------------------


def _trigger(number: int, trigger: Trigger) -> Node:
    title, details = trigger_texts(trigger)
    again = _again(trigger.reenter)
    lines = tuple(text for text in (*details, again) if text)
    return Node(f"@enter{number}", "enter", "Enter", title, lines)


def _asides(flow: Flow) -> Iterator[Node]:
    for goal in flow.goals:
        details = (_goal_text(goal), f"within {goal.within.text} of the entry")
        value = (f"worth {goal.value.text}",) if goal.value is not None else ()
        leaves = ("then the session ends",) if flow.exit_on_goal else ()
        yield Node(
            f"@goal.{goal.name}", "goal", "Goal", goal.name, (*details, *value, *leaves), aside=True
        )
    for number, rule in enumerate(flow.exit):
        yield _exit(number, rule)
    for step in flow.on_exit:
        made = _step(step)
        yield Node(
            f"@on_exit.{step.name}",
            made.kind,
            f"On exit: {made.caption}",
            made.title,
            made.details,
            aside=True,
        )


def _goal_text(goal: Goal) -> str:
    match goal:
        case GoalEvent(match=match):
            return _match(match)
        case GoalWhen(when=when):
            return when.text
        case GoalAudience(audience=audience):
            return f"enters {audience}"
        case _:
            assert_never(goal)


def _exit(number: int, rule: ExitRule) -> Node:
    title, details = _exit_texts(rule)
    shown = (rule.name, (title, *details)) if rule.name else (title, details)
    return Node(f"@exit{number}", "exit", "Exit", shown[0], shown[1], aside=True)


def exit_text(rule: ExitRule) -> str:
    """Return the name of an exit rule, or its condition."""
    title, details = _exit_texts(rule)
    return rule.name or " ".join((title, *details))


def _exit_texts(rule: ExitRule) -> tuple[str, tuple[str, ...]]:
    match rule:
        case ExitEvent():
            title, text = rule.match.event, _where(rule.match.where)
        case ExitWhen():
            title, text = "condition", rule.when.text
        case ExitAudience():
            title, text = f"leaves {rule.audience}", ""
        case _:
            assert_never(rule)
    return title, (text,) if text else ()


def _where(expr: Expr | None) -> str:
    return f"where {expr.text}" if expr is not None else ""


def _match(match: EventMatch) -> str:
    return " ".join(text for text in (match.event, _where(match.where)) if text)


# --- steps -----------------------------------------------------------------------


def _step(step: Step) -> Node:
    summary = summary_of(step.verb)
    return Node(step.name, summary.box, summary.caption, step.name, summary.details)
