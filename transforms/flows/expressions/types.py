"""The types that a value may have, according to the declarations."""

from __future__ import annotations

from typing import assert_never

from transforms.flows.expressions.scope import Scope, Types
from transforms.flows.expressions.syntax import ast
from transforms.flows.expressions.syntax.operators import ALL, FUNCTIONS, PARTS

Kinds = frozenset[str] | None

_COMMUNICATION: Types = {
    "status": "text",
    "channel": "text",
    "sent_at": "date",
    "reply": "text",
    "digits": "text",
    "choice": "text",
    "duration": "number",
    "cost": "number",
}
_FACTS = {"visit.count": "number", "visit.events": "number", "session.id": "text"}
MESSAGE: Types = {
    "text": "text",
    "as_number": "number",
    "number": "text",
    "channel": "text",
    "call": "boolean",
    "communication": "text",
}
"""The fields of a message or a call from the user."""

SENT: Types = dict.fromkeys(("flow", "step", "channel", "topic", "template"), "text")
"""The fields of a message to the user, as aggregates read them."""


def kinds_of(node: ast.Value, scope: Scope) -> Kinds:
    """Return the types that a value may have; None if any is possible."""
    match node:
        case ast.Text():
            return frozenset(("text",))
        case ast.Number() | ast.Arithmetic():
            return frozenset(("number",))
        case ast.Flag() | ast.Tagged() | ast.Consent():
            return frozenset(("boolean",))
        case ast.Items():
            return frozenset(("list",))
        case ast.Now():
            return frozenset(("date",))
        case ast.Fact(name):
            return frozenset((_FACTS.get(name, "date"),))
        case ast.FlowFact(_, fact):
            return frozenset(({"in": "boolean", "step": "text", "times": "number"}[fact],))
        case ast.Member(_, since):
            return frozenset(("date" if since else "boolean",))
        case ast.Part(part):
            return frozenset((PARTS[part][1],))
        case ast.Calculated(function):
            return frozenset((FUNCTIONS[function][0],))
        case ast.Path():
            return _path(node, scope)
        case _:
            assert_never(node)


def _path(node: ast.Path, scope: Scope) -> Kinds:
    path = node.path[1:] if node.root == "communications" else node.path
    name = ".".join(str(segment) for segment in path)
    kinds: set[str] = set()
    for types in declared(node, scope):
        kind = types.get(name)
        if kind not in ALL:
            return None
        kinds.add(kind)
    return frozenset(kinds) or None


def declared(node: ast.Path, scope: Scope) -> tuple[Types, ...]:
    """Return the declarations for a name; an empty tuple if nothing is declared."""
    if node.root == "event":
        types = [scope.events[name] for name in scope.event_names if name in scope.events]
        return tuple(types) if len(types) == len(scope.event_names) else ()
    declarations: dict[str, Types | None] = {
        "entry": scope.entry,
        "user": scope.traits,
        "participant": scope.participant,
        "session": scope.variables,
        "communication": _COMMUNICATION,
        "communications": _COMMUNICATION,
        "message": MESSAGE if scope.message is None else scope.message,
    }
    types_of_root = declarations.get(node.root)
    return () if types_of_root is None else (types_of_root,)
