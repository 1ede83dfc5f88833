"""Names to functions of a view: each is a closure made once, which returns None for missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

from transforms.flows.expressions.syntax.ast import Fact, FlowFact, Member, Path, Segment, Tagged
from transforms.flows.expressions.view import View

Getter = Callable[[View], Any]


def path_getter(node: Path) -> Getter:
    """Return what reads a path; anything missing on the way makes it missing."""
    source = _source(node)
    path = node.path[1:] if node.root == "communications" else node.path
    if not path:
        return source
    first, rest = path[0], path[1:]
    if not rest and isinstance(first, str) and node.root not in ("item", "communications"):
        return _field(node.root, first, source)

    def get(view: View) -> Any:
        return _follow(source(view), path)

    return get


def _source(node: Path) -> Getter:
    match node.root:
        case "event":
            return lambda view: view.event
        case "entry":
            return lambda view: view.entry
        case "user":
            return lambda view: view.traits
        case "participant":
            return lambda view: view.participant
        case "session":
            return lambda view: view.variables
        case "communication":
            return lambda view: view.communication
        case "message":
            return lambda view: view.message
        case "communications":
            step = str(node.path[0])
            return lambda view: view.communications.get(step)
        case "item":
            return lambda view: view.item
        case _:
            assert_never(node.root)


def _field(root: str, name: str, source: Getter) -> Getter:
    match root:
        case "event":

            def event_field(view: View) -> Any:
                event = view.event
                return None if event is None else event.get(name)

            return event_field
        case "user":
            return lambda view: view.traits.get(name)
        case "entry":
            return lambda view: view.entry.get(name)
        case _:

            def field(view: View) -> Any:
                found = source(view)
                return None if found is None else found.get(name)

            return field


def _follow(value: Any, path: tuple[Segment, ...]) -> Any:
    for segment in path:
        if isinstance(segment, str):
            if not isinstance(value, dict):
                return None
            value = value.get(segment)
        elif isinstance(value, (list, tuple)) and segment < len(value):
            value = value[segment]
        else:
            return None
    return value


def fact_getter(node: Fact) -> Getter:
    """Return what reads a fact; the event's time is missing where no event is at hand."""
    match node.name:
        case "event.time":
            return lambda view: None if view.event is None else view.event_time
        case "session.id":
            return lambda view: view.session_id or None
        case "session.started":
            return lambda view: view.session_started if view.session_id else None
        case "visit.count":
            return lambda view: view.presence.count if view.presence else 0
        case "visit.started":
            return lambda view: view.presence.started if view.presence else None
        case "visit.last":
            return lambda view: view.presence.last if view.presence else None
        case "visit.events":
            return lambda view: view.presence.events if view.presence else 0
        case _:
            assert_never(node.name)


def flow_getter(node: FlowFact) -> Getter:
    """Return what reads where the user stands in a flow."""
    flow = node.flow
    match node.fact:
        case "in":
            return lambda view: view.flows(flow).inside
        case "step":
            return lambda view: view.flows(flow).step
        case "times":
            return lambda view: view.flows(flow).times
        case _:
            assert_never(node.fact)


def member_getter(node: Member) -> Getter:
    """Return what reads membership of an audience, or since when."""
    audience = node.audience
    if node.since:
        return lambda view: view.audiences.get(audience)
    return lambda view: audience in view.audiences


def tag_getter(node: Tagged) -> Getter:
    """Return what reads a tag."""
    tag = node.tag
    return lambda view: tag in view.tags
