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
from transforms.flows.expressions.types import SENT, Kinds, declared, kinds_of

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
    checker = _Checker(places, [], scope)
    checker.root(expr.root, wants)
    checker.node(expr.root)
    return sorted(set(checker.problems), key=lambda problem: (problem.offset, problem.code))


class _Checker(msgspec.Struct):
    places: dict[int, tuple[int, int]]
    problems: list[ast.ExprProblem]
    scope: Scope

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

    def kinds(self, node: ast.Value) -> Kinds:
        return kinds_of(node, self.scope)

    def root(self, node: ast.Node, wants: Wants) -> None:
        if wants == "condition":
            self.condition(node)
        elif wants != "value":
            self.of_kind(node, (wants,))

    def of_kind(self, node: ast.Node, wanted: tuple[str, ...]) -> None:
        kinds = frozenset(("boolean",)) if isinstance(node, ast.Decision) else self.kinds(node)
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

    def condition(self, node: ast.Node) -> None:
        if isinstance(node, ast.Decision):
            return
        kinds = self.kinds(node)
        if kinds is not None and "boolean" not in kinds:
            message = f"a condition is expected, not {_a(kinds)}"
            self.note(node, message, "not-a-condition", f"{to_text(node)} is set")

    def node(self, node: ast.Node) -> None:
        match node:
            case ast.Compare():
                self.compare(node)
            case ast.Between(op, of, low, high):
                self.left(op, of)
                for end in (low, high):
                    self.same(of, end)
            case ast.Test(op, of) | ast.Span(op, of):
                self.left(op, of)
            case ast.Arithmetic(_, left, right):
                self.of_kind(left, ("number",))
                self.of_kind(right, ("number",))
            case ast.Part(part, of):
                self.of_kind(of, PARTS[part][0])
            case ast.Quantified(_, of, where):
                self.of_kind(of, ("list",))
                self.condition(where)
            case ast.Calculated():
                self.calculated(node)
                return
            case ast.Not(of):
                self.condition(of)
                self.negated(node, of)
            case ast.And(terms) | ast.Or(terms):
                for term in terms:
                    self.condition(term)
            case _:
                self.name(node)
        for child in ast.children(node):
            self.node(child)

    def left(self, op: str, node: ast.Value) -> None:
        allowed = OPERATORS[op].left
        if allowed == (DATE,):
            self.date(node, self.kinds(node))
            return
        kinds = self.kinds(node)
        if kinds is None or kinds & set(allowed):
            return
        fitting = sorted({name.name for kind in kinds for name in operators_for(kind)})
        meant = "on" if kinds == {DATE} and op in ("==", "i==") else nearest(op, fitting)
        meant = {"<": "before", "<=": "until", ">": "after", ">=": "since"}.get(op, meant)
        if meant not in fitting:
            meant = None
        message = f'"{op.replace("_", "...")}" cannot be used with {_a(kinds)}'
        self.note(node, message, "wrong-type", meant and meant.replace("_", "30d"))

    def compare(self, node: ast.Compare) -> None:
        self.left(node.op, node.left)
        if self.scope.statuses is not None and STATUS in (node.left, node.right):
            self.statuses(node, self.scope.statuses)
        match OPERATORS[node.op].right:
            case "same":
                self.same(node.left, node.right)
            case "text" | "pattern":
                self.of_kind(node.right, ("text",))
            case "list":
                self.of_kind(node.right, ("list",))
            case "date":
                self.date(node.right, self.kinds(node.right))
            case "member" if self.kinds(node.left) == frozenset(("text",)):
                self.of_kind(node.right, ("text",))

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

    def same(self, left: ast.Value, right: ast.Value) -> None:
        one, other = self.kinds(left), self.kinds(right)
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

    def calculated(self, node: ast.Calculated) -> None:
        if node.event is not None and node.event not in self.scope.events:
            meant = nearest(node.event, self.scope.events)
            if meant is not None:
                message = f"no event is called {quote(node.event)}"
                self.note(node, message, "unknown-event", quote(meant))
        if node.since == "entry" and "entry" not in self.scope.at_hand:
            self.note(node, _AT_HAND["entry"], "not-at-hand")
        if node.event is None:
            scope = msgspec.structs.replace(
                self.scope, at_hand=frozenset(("message",)), message=SENT
            )
        else:
            scope = msgspec.structs.replace(
                self.scope, at_hand=frozenset(("event",)), event_names=(node.event,)
            )
        inner = _Checker(self.places, self.problems, scope)
        if node.value is not None:
            inner.of_kind(node.value, ("number",))
        if node.where is not None:
            inner.condition(node.where)
        for child in ast.children(node):
            inner.node(child)

    def name(self, node: ast.Node) -> None:
        match node:
            case ast.Path():
                self.path(node)
            case ast.Fact(name):
                self.at_hand(node, name.split(".")[0])
            case ast.Member(audience):
                self.known(node, "audience", audience, self.scope.audiences)
            case ast.Tagged(tag):
                self.known(node, "tag", tag, self.scope.tags)
            case ast.Consent(name):
                self.known(node, "channel or topic", name, self.scope.consents)
            case ast.FlowFact(flow):
                self.known(node, "flow", flow, self.scope.flows)

    def at_hand(self, node: ast.Node, root: str) -> bool:
        if root in _AT_HAND and root not in self.scope.at_hand:
            self.note(node, _AT_HAND[root], "not-at-hand")
            return False
        return True

    def path(self, node: ast.Path) -> None:
        if node.root == "communications":
            self.known(node, "send step", str(node.path[0]), self.scope.steps)
            return
        noun = _NOUNS.get(node.root)
        if not self.at_hand(node, node.root) or noun is None:
            return
        declarations = declared(node, self.scope)
        names = {name.split(".")[0] for types in declarations for name in types}
        first = str(node.path[0])
        if declarations and first not in names:
            article, of = "an" if noun[0] in "aeiou" else "a", ""
            if node.root == "event":
                of = f" of {', '.join(quote(name) for name in self.scope.event_names)}"
            meant = nearest(first, names)
            message = f'"{first}" is not {article} {noun}{of}'
            self.note(node, message, f"unknown-{noun.split()[-1]}", meant)

    def known(self, node: ast.Node, noun: str, name: str, names: Iterable[str] | None) -> None:
        if names is not None and name not in set(names):
            code = f"unknown-{noun.rsplit(maxsplit=1)[-1]}"
            self.note(node, f'there is no {noun} "{name}"', code, nearest(name, names))


def _a(kinds: Iterable[str]) -> str:
    return " or ".join(f"a {kind}" for kind in sorted(kinds))
