r"""Splits an expression into tokens. In quotes ``\" \' \\ \n \t`` are escapes."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from transforms.flows.clock.delays import UNIT, likely_duration
from transforms.flows.expressions.syntax.ast import ExprProblem

MOST_CHARACTERS = 4096
MOST_DIGITS = 15

Kind = Literal["text", "number", "duration", "word", "sign", "end"]

_TOKEN = re.compile(
    rf"""(?P<space>\s+)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<duration>[0-9]+[ ]*{UNIT}(?![\w$]))
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?![\w$]))
      | (?P<equals>i==|i!=)
      | (?P<word>(?:[^\W\d]|\$)[\w$]*)
      | (?P<sign>==|!=|<=|>=|<|>|[-+*/()\[\],.])""",
    re.VERBOSE | re.DOTALL,
)
_KINDS: dict[str | None, Kind] = {
    "text": "text", "duration": "duration", "number": "number", "word": "word", None: "word"
}  # fmt: skip
_LETTER = re.compile("i")
_ESCAPE = re.compile(r"\\([\"'\\nt])", re.DOTALL)
_WRONG = {
    "=": "==",
    "===": "==",
    "<>": "!=",
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
    "!": "not",
}
_BAD = re.compile(r"===|=|<>|&&?|\|\|?|“[^”]*”?|[0-9][\w.$]*|.", re.DOTALL)


class Token(msgspec.Struct, frozen=True, gc=False):
    """A token; ``value`` is the text without its quotes, or the word itself."""

    kind: Kind
    value: str
    offset: int
    length: int

    def says(self, *values: str) -> bool:
        """Return True if this is one of these words or signs, and not a text in quotes."""
        return self.kind in ("word", "sign") and self.value in values

    @property
    def end(self) -> int:
        return self.offset + self.length


def tokens(text: str) -> tuple[list[Token], list[ExprProblem]]:
    """Split a text into tokens; what is not a token is replaced by what was probably meant."""
    result: list[Token] = []
    problems: list[ExprProblem] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is not None and match.lastgroup == "equals" and result and result[-1].says("."):
            match = _LETTER.match(text, at)
        if match is None:
            problem, meant = _wrong(text, at)
            problems.append(problem)
            if meant is not None:
                result.append(meant)
            at += problem.length
            continue
        if match.lastgroup != "space":
            result.append(_token(match))
        at = match.end()
    result.append(Token("end", "", len(text), 0))
    return result, problems


def _token(match: re.Match[str]) -> Token:
    raw, kind = match[0], _KINDS.get(match.lastgroup, "sign")
    return Token(kind, unquote(raw) if kind == "text" else raw, match.start(), len(raw))


def unquote(raw: str) -> str:
    """Return the text inside the quotes."""
    return _ESCAPE.sub(lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), raw[1:-1])


def _wrong(text: str, at: int) -> tuple[ExprProblem, Token | None]:
    if text[at] in "\"'":
        message = f"the text that begins with {text[at]} is not closed"
        rest = len(text) - at
        return ExprProblem(at, rest, message, "unclosed-text"), Token("text", text[at:], at, rest)
    match = _BAD.match(text, at)
    bad = match[0] if match else text[at]
    if bad[0] == "“":
        meant = f'"{bad[1:-1]}"'
        problem = ExprProblem(at, len(bad), "a text needs straight quotes", "unknown-sign", meant)
        return problem, Token("text", bad[1:-1], at, len(bad))
    if bad[0].isdigit():
        message = f'"{bad}" is neither a number nor a duration'
        problem = ExprProblem(at, len(bad), message, "bad-number", likely_duration(bad))
        return problem, Token("number", "0", at, len(bad))
    message = f'"{bad}" does not belong in an expression'
    sign = _WRONG.get(bad)
    problem = ExprProblem(at, len(bad), message, "unknown-sign", sign)
    if sign is None:
        return problem, None
    return problem, Token("word" if sign.isalpha() else "sign", sign, at, len(bad))
