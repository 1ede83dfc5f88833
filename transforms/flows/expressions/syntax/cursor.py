"""Where the parser is: tokens, problems so far, places of nodes, and what is allowed here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from transforms.flows.expressions.syntax.ast import Decision, Node, Value
from transforms.flows.expressions.syntax.lex import Token
from transforms.flows.expressions.syntax.problems import ExprProblem

DEEPEST = 64

N = TypeVar("N", bound=Node)


class StopError(Exception):
    """The rest of this condition cannot be understood; the problem is noted."""


class TooDeepError(Exception):
    """The expression is nested too deep; the problem is noted."""


class Cursor:
    """``counting`` is inside an aggregate, ``in_item`` inside ``any(...)`` or ``all(...)``."""

    def __init__(self, tokens: list[Token], problems: list[ExprProblem]) -> None:
        self.tokens = tokens
        self.problems = problems
        self.at = 0
        self.depth = 0
        self.counting = False
        self.in_item = False
        self._places: dict[int, tuple[Node, int, int]] = {}

    @property
    def here(self) -> Token:
        return self.tokens[self.at]

    def peek(self, ahead: int) -> Token:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def take(self) -> Token:
        token = self.here
        if token.kind != "end":
            self.at += 1
        return token

    def sees(self, word: str) -> bool:
        """Tell whether this word or sign stands here."""
        return self.here.says(word)

    def passes(self, word: str) -> bool:
        """Go past a word or sign, if it stands here."""
        found = self.sees(word)
        self.at += found
        return found

    def expect(self, sign: str, message: str) -> None:
        """Go past a sign, or stop."""
        if not self.passes(sign):
            raise self.stop(self.here, f"{message}, not {described(self.here)}", "syntax")

    def note(self, token: Token, message: str, code: str, meant: str | None = None) -> None:
        """Remember a problem and go on."""
        self.problems.append(ExprProblem(token.offset, token.length, message, code, meant))

    def stop(self, token: Token, message: str, code: str, meant: str | None = None) -> StopError:
        """Remember a problem; the caller raises what this returns."""
        self.note(token, message, code, meant)
        return StopError()

    def placed(self, node: N, start: Token) -> N:
        """Remember where a node stands: from a token to the one before this."""
        end = max(self.tokens[max(self.at - 1, 0)].end, start.offset)
        self._places[id(node)] = (node, start.offset, end - start.offset)
        return node

    def place(self, node: Node) -> tuple[int, int]:
        """Return offset and length of a node."""
        _, offset, length = self._places.get(id(node), (node, 0, 0))
        return offset, length

    def value(self, node: Node) -> Value:
        """Stop at a condition that stands where a value must."""
        if isinstance(node, Decision):
            offset, length = self.place(node)
            message = "a condition stands where a value is wanted"
            self.problems.append(ExprProblem(offset, length, message, "not-a-value"))
            raise StopError
        return node

    @contextmanager
    def deeper(self, token: Token, levels: int = 1) -> Iterator[None]:
        """Go down, at most 64 levels."""
        self.depth += levels
        if self.depth > DEEPEST:
            self.note(token, f"an expression is at most {DEEPEST} levels deep", "too-deep")
            raise TooDeepError
        try:
            yield
        finally:
            self.depth -= levels

    @contextmanager
    def inside(self, *, counting: bool = False, in_item: bool = False) -> Iterator[None]:
        """Read what is inside an aggregate, or inside ``any`` or ``all``."""
        before = self.counting, self.in_item
        self.counting, self.in_item = self.counting or counting, self.in_item or in_item
        try:
            yield
        finally:
            self.counting, self.in_item = before

    def skip(self, start: int) -> None:
        """Go to the end of the condition that began at a token and cannot be understood."""
        opened = sum(map(_opens, self.tokens[start : self.at]))
        while self.here.kind != "end":
            if opened <= 0 and self.here.says(*ENDS):
                return
            opened += _opens(self.here)
            self.at += 1


def _opens(token: Token) -> int:
    if token.kind != "sign":
        return 0
    return (token.value in "([") - (token.value in ")]")


ENDS = ("and", "or", ")")


def described(token: Token) -> str:
    """Say what a token is, for a message."""
    if token.kind == "end":
        return "the end"
    return f"the text {token.value!r}" if token.kind == "text" else f'"{token.value}"'
