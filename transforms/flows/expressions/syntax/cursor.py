"""The position of the parser: the tokens, the problems so far, and which words are allowed here."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from transforms.flows.expressions.syntax.ast import Decision, ExprProblem, Node, Segment, Value
from transforms.flows.expressions.syntax.lex import Token
from transforms.flows.expressions.syntax.operators import MOVING, OPERATORS, Operator

DEEPEST = 64
MOST_SEGMENTS = 16

N = TypeVar("N", bound=Node)


class StopError(Exception):
    """The rest of this condition cannot be parsed; the problem is recorded."""


class TooDeepError(Exception):
    """The expression is nested too deep; the problem is recorded."""


class Cursor:
    """Reads tokens one by one, and records problems and the places of nodes.

    ``counting`` is what an aggregate counts, event or message, and empty outside of one.
    ``in_item`` is True inside ``any(...)`` or ``all(...)``.
    """

    def __init__(self, tokens: list[Token], problems: list[ExprProblem]) -> None:
        self.tokens = tokens
        self.problems = problems
        self.at = 0
        self.depth = 0
        self.counting = ""
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
        """Return True if the next token is this word or sign."""
        return self.here.says(word)

    def passes(self, word: str) -> bool:
        """Skip a word or sign if it is the next token; return whether it was."""
        is_next = self.sees(word)
        self.at += is_next
        return is_next

    def expect(self, sign: str, message: str) -> None:
        """Skip a sign, or raise StopError if another token is next."""
        if not self.passes(sign):
            raise self.stop(self.here, f"{message}, not {described(self.here)}", "syntax")

    def note(self, token: Token, message: str, code: str, meant: str | None = None) -> None:
        """Record a problem and go on."""
        self.problems.append(ExprProblem(token.offset, token.length, message, code, meant))

    def stop(self, token: Token, message: str, code: str, meant: str | None = None) -> StopError:
        """Record a problem and return the error that the caller raises."""
        self.note(token, message, code, meant)
        return StopError()

    def placed(self, node: N, start: Token) -> N:
        """Record the place of a node: from a token to the last one that was read."""
        end = max(self.tokens[max(self.at - 1, 0)].end, start.offset)
        self._places[id(node)] = (node, start.offset, end - start.offset)
        return node

    def place(self, node: Node) -> tuple[int, int]:
        """Return offset and length of a node."""
        _, offset, length = self._places.get(id(node), (node, 0, 0))
        return offset, length

    def value(self, node: Node) -> Value:
        """Return the node as a value; raise StopError if it is a condition."""
        if isinstance(node, Decision):
            offset, length = self.place(node)
            message = "a value is expected here, not a condition"
            self.problems.append(ExprProblem(offset, length, message, "not-a-value"))
            raise StopError
        return node

    @contextmanager
    def deeper(self, token: Token, levels: int = 1) -> Iterator[None]:
        """Count the levels of nesting, at most 64."""
        self.depth += levels
        if self.depth > DEEPEST:
            self.note(token, f"an expression is at most {DEEPEST} levels deep", "too-deep")
            raise TooDeepError
        try:
            yield
        finally:
            self.depth -= levels

    @contextmanager
    def inside(self, *, counting: str = "", in_item: bool = False) -> Iterator[None]:
        """Mark that the parser is inside an aggregate, or inside ``any`` or ``all``."""
        before = self.counting, self.in_item
        self.counting, self.in_item = counting or self.counting, self.in_item or in_item
        try:
            yield
        finally:
            self.counting, self.in_item = before

    def skip(self, start: int) -> None:
        """Go to the end of the condition that began at a token and cannot be parsed."""
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
    """Describe a token for a message."""
    if token.kind == "end":
        return "the end"
    return f"the text {token.value!r}" if token.kind == "text" else f'"{token.value}"'


_PHRASES: dict[str, list[Operator]] = {}
for _operator in sorted(OPERATORS.values(), key=lambda operator: -len(operator.words)):
    _PHRASES.setdefault(_operator.words[0], []).append(_operator)

_OTHER_NAMES = {
    "equals": "==",
    "equal": "==",
    "like": "contains",
    "exists": "is set",
    "isset": "is set",
    "includes": "contains",
    "startswith": "starts with",
    "endswith": "ends with",
    "intersects": "contains any",
    "older": "more than 30d ago",
    "ago": "more than 30d ago",
}


def operator_at(tokens: list[Token], at: int, *, counting: bool) -> Operator | None:
    """Return the operator that begins at a token, the longest first.

    While ``counting`` (inside an aggregate), operators that depend on the current time do not
    exist, and ``since entry`` is the period of the aggregate.
    """
    for operator in _PHRASES.get(tokens[at].value, ()):
        if counting and operator.name in MOVING:
            continue
        words = operator.words
        if len(tokens) > at + len(words) and all(
            token.says(word) or (word == "_" and token.kind == "duration")
            for token, word in zip(tokens[at:], words, strict=False)
        ):
            if counting and operator.name == "since" and is_since_entry(tokens, at):
                continue
            return operator
    return None


def is_since_entry(tokens: list[Token], at: int) -> bool:
    """Return True at ``since entry``, but not at ``since entry.started``."""
    return (
        tokens[at].says("since")
        and tokens[at + 1].says("entry")
        and not tokens[at + 2].says(".", "[")
    )


def guess_operator(tokens: list[Token], at: int) -> str | None:
    """Guess which operator the words from a token on were meant to be."""
    word = tokens[at].value
    negated = word == "is" and tokens[at + 1].says("not")
    if word == "is" and tokens[at + 1 + negated].kind in ("text", "number"):
        return "!=" if negated else "=="
    words: list[str] = []
    for token in tokens[at : at + 3]:
        if token.kind != "word":
            break
        words.append(token.value.lower())
    for count in range(len(words), 0, -1):
        close = difflib.get_close_matches(" ".join(words[:count]), [*OPERATORS, "and", "or"], 1)
        if close:
            return close[0].replace("_", "30d")
    return _OTHER_NAMES.get(word.lower())


def segments(cursor: Cursor) -> tuple[list[Segment], bool]:
    """Read ``.city["Order Id"][0]``; also return whether the first part follows a point."""
    path: list[Segment] = []
    dotted = cursor.sees(".")
    while cursor.sees(".") or cursor.sees("["):
        opening = cursor.take()
        token = cursor.take()
        if opening.value == ".":
            if token.kind != "word":
                meant = None if token.kind == "end" else f'["{token.value}"]'
                message = f'a name is expected after ".", not {described(token)}'
                raise cursor.stop(token, message, "syntax", meant)
            path.append(token.value)
            continue
        if token.kind == "text":
            path.append(token.value)
        elif token.kind == "number" and token.value.isdigit() and len(token.value) <= 4:
            path.append(int(token.value))
        else:
            message = f"brackets take a name in quotes or a number, not {described(token)}"
            raise cursor.stop(token, message, "syntax")
        cursor.expect("]", 'a bracket is not closed: "]" is expected')
    if len(path) > MOST_SEGMENTS:
        raise cursor.stop(cursor.here, f"a name has at most {MOST_SEGMENTS} parts", "too-deep")
    return path, dotted
