"""Checks the names and types of an expression against the declarations.

Where nothing is declared, every name is accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from transforms.flows.clock.zones import parse_instant, utc
from transforms.flows.diagnostics import nearest
from transforms.flows.expressions.scope import Scope, Wants
from transforms.flows.expressions.syntax import ast
from transforms.flows.expressions.syntax.operators import DATE, OPERATORS, PARTS, operators_for
from transforms.flows.expressions.syntax.write import quote, to_text
from transforms.flows.expressions.types import Kinds, declared, kinds_of

_AT_HAND = {
    "event": "there is no event to read here",
    "entry": "there is no entry to read here: no session has begun",
    "session": "there is no session to read here",
    "participant": "there is no participant to read here: only flows of a campaign have one",
    "communication": "there is no communication to read here",
    "message": "there is no message of the user to read here",
}
STATUS = ast.Path("participant", ("status",))
_NOUNS = {
    "event": "property",
    "entry": "entry field",
    "user": "trait",
    "participant": "participant field",
    "session": "session variable",
    "message": "message field",
}


def check(expr: ast.Expr, scope: Scope, wants: Wants = "value") -> list[ast.ExprProblem]:
    """Return the problems of an expression, sorted by place, with the warnings.

    ``wants`` is the kind of expression that is expected.
    """
    places = dict(zip(map(id, ast.walk(expr.root)), expr.spans, strict=False))
    checker = _Checker(places, [])
    checker.root(expr.root, scope, wants)
    checker.node(expr.root, scope)
    return sorted(set(checker.problems), key=lambda problem: (problem.offset, problem.code))


class _Checker(msgspec.Struct):
    places: dict[int, tuple[int, int]]
    problems: list[ast.ExprProblem]

    def note(
        self,
        node: ast.Node,
        message: str,
        code: str,
        meant: str | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        offset, length = self.places.get(id(node), (0, 0))
        self.problems.append(ast.ExprProblem(offset, length, message, code, meant, severity))

    def root(self, node: ast.Node, scope: Scope, wants: Wants) -> None:
        if wants == "condition":
            self.condition(node, scope)
        elif wants != "value":
            self.of_kind(node, scope, (wants,))

    def of_kind(self, node: ast.Node, scope: Scope, wanted: tuple[str, ...]) -> None:
        kinds: Kinds = (
            frozenset(("boolean",)) if isinstance(node, ast.Decision) else kinds_of(node, scope)
        )
        if wanted == (DATE,):
            self.date(node, kinds)
        elif kinds is not None and not kinds & set(wanted):
            self.note(node, f"{_a(wanted)} is expected, not {_a(kinds)}", "wrong-type")

    def date(self, node: ast.Node, kinds: Kinds) -> None:
        if isinstance(node, ast.Text):
            if parse_instant(node.value, utc()) is None:
                message = f"{quote(node.value)} is not a date; write for example 2026-12-24"
                self.note(node, message, "bad-date")
        elif kinds is not None and not kinds & {"date", "text"}:
            self.note(node, f"a date is expected, not {_a(kinds)}", "wrong-type")

    def condition(self, node: ast.Node, scope: Scope) -> None:
        if isinstance(node, ast.Decision):
            return
        kinds = kinds_of(node, scope)
        if kinds is not None and "boolean" not in kinds:
            message = f"a condition is expected, not {_a(kinds)}"
            self.note(node, message, "not-a-condition", f"{to_text(node)} is set")

    def node(self, node: ast.Node, scope: Scope) -> None:
        match node:
            case ast.Compare():
                self.compare(node, scope)
            case ast.Between(op, of, low, high):
                self.left(op, of, scope)
                for end in (low, high):
                    self.same(of, end, scope)
            case ast.Test(op, of) | ast.Span(op, of):
                self.left(op, of, scope)
            case ast.Arithmetic(_, left, right):
                self.of_kind(left, scope, ("number",))
                self.of_kind(right, scope, ("number",))
            case ast.Part(part, of):
                self.of_kind(of, scope, PARTS[part][0])
            case ast.Quantified(_, of, where):
                self.of_kind(of, scope, ("list",))
                self.condition(where, scope)
            case ast.Calculated():
                self.calculated(node, scope)
                return
            case ast.Not(of):
                self.condition(of, scope)
                self.negated(node, of)
            case ast.And(terms) | ast.Or(terms):
                for term in terms:
                    self.condition(term, scope)
            case _:
                self.name(node, scope)
        for child in ast.children(node):
            self.node(child, scope)

    def left(self, op: str, node: ast.Value, scope: Scope) -> None:
        allowed = OPERATORS[op].left
        if allowed == (DATE,):
            self.date(node, kinds_of(node, scope))
            return
        kinds = kinds_of(node, scope)
        if kinds is None or kinds & set(allowed):
            return
        fitting = sorted({name.name for kind in kinds for name in operators_for(kind)})
        meant = "on" if kinds == {DATE} and op in ("==", "i==") else nearest(op, fitting)
        meant = {"<": "before", "<=": "until", ">": "after", ">=": "since"}.get(op, meant)
        if meant not in fitting:
            meant = None
        message = f'"{op.replace("_", "...")}" cannot be used with {_a(kinds)}'
        self.note(node, message, "wrong-type", meant and meant.replace("_", "30d"))

    def compare(self, node: ast.Compare, scope: Scope) -> None:
        self.left(node.op, node.left, scope)
        if scope.statuses is not None and STATUS in (node.left, node.right):
            self.statuses(node, scope.statuses)
        match OPERATORS[node.op].right:
            case "same":
                self.same(node.left, node.right, scope)
            case "text" | "pattern":
                self.of_kind(node.right, scope, ("text",))
            case "list":
                self.of_kind(node.right, scope, ("list",))
            case "date":
                self.date(node.right, kinds_of(node.right, scope))
            case "member" if kinds_of(node.left, scope) == frozenset(("text",)):
                self.of_kind(node.right, scope, ("text",))

    def statuses(self, node: ast.Compare, known: frozenset[str]) -> None:
        """Report texts compared with the participant status that are not a status."""
        if node.op not in ("==", "!=", "in", "not in"):
            return
        for side in (node.left, node.right):
            for item in side.items if isinstance(side, ast.Items) else (side,):
                if isinstance(item, ast.Text) and item.value not in known:
                    message = f"no participant has the status {quote(item.value)}"
                    meant = nearest(item.value, known)
                    self.note(side, message, "unknown-status", meant and quote(meant))

    def same(self, left: ast.Value, right: ast.Value, scope: Scope) -> None:
        one, other = kinds_of(left, scope), kinds_of(right, scope)
        if one is None or other is None or one & other or DATE in one | other:
            return
        self.note(right, f"{_a(one)} is compared with {_a(other)}", "wrong-type")

    def negated(self, node: ast.Not, of: ast.Node) -> None:
        if not isinstance(of, ast.Compare | ast.Between | ast.Span):
            return
        missing = [part for part in ast.children(of) if isinstance(part, ast.Path)]
        if missing:
            name = to_text(missing[0])
            message = (
                f'this is also true when {name} is missing; add "is set" if it must have a value'
            )
            self.note(node, message, "not-missing", f"{name} is set and", "warning")

    def calculated(self, node: ast.Calculated, scope: Scope) -> None:
        if node.event not in scope.events:
            meant = nearest(node.event, scope.events)
            if meant is not None:
                message = f"no event is called {quote(node.event)}"
                self.note(node, message, "unknown-event", quote(meant))
        if node.since == "entry" and "entry" not in scope.at_hand:
            self.note(node, _AT_HAND["entry"], "not-at-hand")
        inner = msgspec.structs.replace(
            scope, at_hand=frozenset(("event",)), event_names=(node.event,)
        )
        if node.value is not None:
            self.of_kind(node.value, inner, ("number",))
        if node.where is not None:
            self.condition(node.where, inner)
        for child in ast.children(node):
            self.node(child, inner)

    def name(self, node: ast.Node, scope: Scope) -> None:
        match node:
            case ast.Path():
                self.path(node, scope)
            case ast.Fact(name):
                self.at_hand(node, name.split(".")[0], scope)
            case ast.Member(audience):
                self.known(node, "audience", audience, scope.audiences)
            case ast.Tagged(tag):
                self.known(node, "tag", tag, scope.tags)
            case ast.FlowFact(flow):
                self.known(node, "flow", flow, scope.flows)

    def at_hand(self, node: ast.Node, root: str, scope: Scope) -> bool:
        if root in _AT_HAND and root not in scope.at_hand:
            self.note(node, _AT_HAND[root], "not-at-hand")
            return False
        return True

    def path(self, node: ast.Path, scope: Scope) -> None:
        if node.root == "communications":
            self.known(node, "send step", str(node.path[0]), scope.steps)
            return
        noun = _NOUNS.get(node.root)
        if not self.at_hand(node, node.root, scope) or noun is None:
            return
        declarations = declared(node, scope)
        names = {name.split(".")[0] for types in declarations for name in types}
        first = str(node.path[0])
        if declarations and first not in names:
            article, of = "an" if noun[0] in "aeiou" else "a", ""
            if node.root == "event":
                of = f" of {', '.join(quote(name) for name in scope.event_names)}"
            meant = nearest(first, names)
            message = f'"{first}" is not {article} {noun}{of}'
            self.note(node, message, f"unknown-{noun.split()[-1]}", meant)

    def known(self, node: ast.Node, noun: str, name: str, names: Iterable[str] | None) -> None:
        if names is not None and name not in set(names):
            code = f"unknown-{noun.rsplit(maxsplit=1)[-1]}"
            self.note(node, f'there is no {noun} "{name}"', code, nearest(name, names))


def _a(kinds: Iterable[str]) -> str:
    return " or ".join(f"a {kind}" for kind in sorted(kinds))
