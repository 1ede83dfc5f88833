"""A flow as a graph: what the pictures draw and a canvas reads. Nodes in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, assert_never

import msgspec

from transforms.authoring.summary import summary_of, trigger_texts, ways_of
from transforms.flows.definitions.exits import ExitAudience, ExitEvent, ExitRule, ExitWhen
from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.values import EventMatch, Reenter
from transforms.flows.expressions.syntax.ast import Expr

Kind = Literal["enter", "wait", "decide", "send", "effect", "end", "exit", "goal"]

END = "@end"
"""The node of a session that ends without an ``end`` step."""


class Node(msgspec.Struct, frozen=True, gc=False):
    """A box: ``id`` is the step's name, or begins with ``@`` for what is no step.

    ``aside``: it has no place in the order of the steps (exit rules, goals, on exit).
    """

    id: str
    kind: Kind
    caption: str
    title: str
    details: tuple[str, ...] = ()
    aside: bool = False


class Edge(msgspec.Struct, frozen=True, gc=False):
    """A way from one box to another, taken under the condition that the label names."""

    source: str
    target: str
    label: str = ""


class Graph(msgspec.Struct, frozen=True, gc=False):
    """A flow to draw; ``facts`` are its settings in one line."""

    id: str
    title: str
    about: str
    facts: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph_of(flow: Flow) -> Graph:
    """Make the graph of a flow: triggers, steps, ends, and beside them exits and goals."""
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
        parts.append(f"{flow.holdout}% get nothing (holdout)")
    if flow.group:
        parts.append(f"competes in {flow.group}")
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
    parts = [f"again {reenter.after.text} after the last exit"] if reenter.after else []
    parts += [
        f"at most {limit.most} {'entry' if limit.most == 1 else 'entries'} per {limit.per.text}"
        for limit in reenter.limits
    ]
    return ", ".join(parts)


# --- entry, exit, goals ----------------------------------------------------------


def _trigger(number: int, trigger: Trigger) -> Node:
    title, details = trigger_texts(trigger)
    again = _again(trigger.reenter)
    said = tuple(text for text in (*details, again) if text)
    return Node(f"@enter{number}", "enter", "Enter", title, said)


def _asides(flow: Flow) -> Iterator[Node]:
    for goal in flow.goals:
        details = (_match(goal.match), f"within {goal.within.text} of the entry")
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


def _exit(number: int, rule: ExitRule) -> Node:
    match rule:
        case ExitEvent():
            title, details = rule.match.event, (_where(rule.match.where),)
        case ExitWhen():
            title, details = "condition", (rule.when.text,)
        case ExitAudience():
            title, details = f"leaves {rule.audience}", ("",)
        case _:
            assert_never(rule)
    said = tuple(text for text in details if text)
    return Node(f"@exit{number}", "exit", "Leave at once", title, said, aside=True)


def _where(expr: Expr | None) -> str:
    return f"where {expr.text}" if expr is not None else ""


def _match(match: EventMatch) -> str:
    return " ".join(text for text in (match.event, _where(match.where)) if text)


# --- steps -----------------------------------------------------------------------


def _step(step: Step) -> Node:
    said = summary_of(step.verb)
    return Node(step.name, said.box, said.caption, step.name, said.details)
