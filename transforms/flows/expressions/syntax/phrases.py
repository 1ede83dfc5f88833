"""Operators as phrases of tokens: which operator begins here, and what was probably meant."""

from __future__ import annotations

import difflib

from transforms.flows.expressions.syntax.lex import Token
from transforms.flows.expressions.syntax.operators import MOVING, OPERATORS, Operator

_PHRASES: dict[str, list[Operator]] = {}
for _operator in sorted(OPERATORS.values(), key=lambda operator: -len(operator.words)):
    _PHRASES.setdefault(_operator.words[0], []).append(_operator)

_MEANT = {
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

    While ``counting`` (inside an aggregate) nothing that moves with time is one, and
    ``since entry`` is the aggregate's period.
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
    """Tell whether ``since entry`` stands here, and not ``since entry.started``."""
    return (
        tokens[at].says("since")
        and tokens[at + 1].says("entry")
        and not tokens[at + 2].says(".", "[")
    )


def meant(tokens: list[Token], at: int) -> str | None:
    """Guess which operator was meant by the words that begin at a token."""
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
    return _MEANT.get(word.lower())
