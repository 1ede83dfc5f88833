"""Text to nodes: conditions. Every problem that can be found is reported at once.

From loose to tight: ``or``, ``and``, ``not``, operators, ``+ -``, ``* /``, names and literals.
"""

from __future__ import annotations

from transforms.flows.clock.delays import Delay, TimeSyntaxError, parse_delay
from transforms.flows.clock.zones import DAY
from transforms.flows.expressions.syntax import lex, operands, phrases
from transforms.flows.expressions.syntax.ast import (
    And,
    Arithmetic,
    Between,
    Compare,
    Expr,
    Flag,
    Node,
    Not,
    Now,
    Or,
    Part,
    Span,
    Test,
    Text,
    Value,
    children,
    walk,
)
from transforms.flows.expressions.syntax.cursor import (
    ENDS,
    Cursor,
    StopError,
    TooDeepError,
    described,
)
from transforms.flows.expressions.syntax.lex import Token
from transforms.flows.expressions.syntax.operators import ANNIVERSARIES, OPERATORS, Operator
from transforms.flows.expressions.syntax.patterns import PatternError, compile_pattern
from transforms.flows.expressions.syntax.problems import ExpressionError, ExprProblem
from transforms.flows.expressions.syntax.write import write


def parse(text: str) -> Expr:
    """Read an expression.

    Raises ``ExpressionError`` with all problems found. At most 4096 characters, 64 levels deep.
    """
    if len(text) > lex.MOST_CHARACTERS:
        message = f"an expression has at most {lex.MOST_CHARACTERS} characters, not {len(text)}"
        raise ExpressionError([ExprProblem(0, len(text), message, "too-long")])
    tokens, problems = lex.tokens(text)
    cursor = Cursor(tokens, problems)
    root = _whole(cursor)
    if root is None or cursor.problems:
        raise ExpressionError(sorted(set(cursor.problems), key=lambda found: found.offset))
    spans = tuple(cursor.place(node) for node in walk(root))
    return Expr(write(root), root, spans)


def _whole(cursor: Cursor) -> Node | None:
    if _at_end(cursor):
        if not cursor.problems:
            cursor.note(cursor.here, "there is no expression here", "empty")
        return None
    try:
        root = condition(cursor)
        while not _at_end(cursor):
            cursor.note(cursor.here, f"{described(cursor.here)} is not expected here", "syntax")
            cursor.at += 1
            if not _at_end(cursor):
                condition(cursor)
    except TooDeepError:
        return None
    _check_now(cursor, root)
    return root


def _at_end(cursor: Cursor) -> bool:
    return cursor.here.kind == "end"


def _check_now(cursor: Cursor, node: Node) -> None:
    dated = isinstance(node, Compare) and OPERATORS[node.op].right == "date"
    dated = dated or (isinstance(node, Part) and node.part != "length")
    for child in children(node):
        if isinstance(child, Now) and not dated:
            message = "now can only be compared by before, until, since, after and on"
            cursor.problems.append(ExprProblem(*cursor.place(child), message, "now"))
        _check_now(cursor, child)


def condition(cursor: Cursor) -> Node:
    """Read what stands between brackets or alone: a condition, or a value."""
    start = cursor.here
    with cursor.deeper(start):
        terms = [_conjunction(cursor)]
        while cursor.passes("or"):
            terms.append(_conjunction(cursor))
    if len(terms) == 1:
        return terms[0]
    flat = [part for term in terms for part in (term.terms if isinstance(term, Or) else (term,))]
    return cursor.placed(Or(tuple(flat)), start)


def _conjunction(cursor: Cursor) -> Node:
    start = cursor.here
    terms = [_negation(cursor)]
    while cursor.passes("and"):
        terms.append(_negation(cursor))
    if len(terms) == 1:
        return terms[0]
    flat = [part for term in terms for part in (term.terms if isinstance(term, And) else (term,))]
    return cursor.placed(And(tuple(flat)), start)


def _negation(cursor: Cursor) -> Node:
    start = cursor.here
    if cursor.passes("not"):
        with cursor.deeper(start):
            return cursor.placed(Not(_negation(cursor)), start)
    first = cursor.at
    try:
        return _decision(cursor)
    except StopError:
        cursor.skip(first)
        return Flag(True)


def _decision(cursor: Cursor) -> Node:
    start = cursor.here
    left = sum_of(cursor)
    at = cursor.here
    operator = phrases.operator_at(cursor.tokens, cursor.at, counting=cursor.counting)
    if operator is None:
        if at.kind == "end" or at.says(*ENDS) or _ends_value(cursor):
            return left
        raise cursor.stop(
            at,
            f"after {_quoted(cursor, left)} an operator is expected, not {described(at)}",
            "unknown-operator",
            phrases.meant(cursor.tokens, cursor.at),
        )
    node = _applied(cursor, operator, cursor.value(left))
    return cursor.placed(node, start)


def _ends_value(cursor: Cursor) -> bool:
    ends = cursor.here.says("where", "of", "within", "since")
    return ends and (cursor.in_item or cursor.counting)


def _quoted(cursor: Cursor, node: Node) -> str:
    text = write(node)
    return f'"{text}"' if len(text) <= 40 else "this"


def _applied(cursor: Cursor, operator: Operator, left: Value) -> Node:
    first = cursor.here
    words = [cursor.take() for _ in operator.words]
    name = operator.name
    if operator.right == "":
        return Test(name, left)
    if operator.right in ("delay", "days"):
        token = words[operator.words.index("_")]
        return Span(name, left, _delay(cursor, token, operator))
    if operator.right == "pair":
        low = cursor.value(sum_of(cursor))
        cursor.expect("and", f'"{name}" takes two values: between 10 and 20')
        high = cursor.value(sum_of(cursor))
        return Between("between" if name == "between" else "not between", left, low, high)
    right = cursor.value(sum_of(cursor))
    if operator.right == "pattern":
        _check_pattern(cursor, first, operator, right)
    return Compare(name, left, right)


def _check_pattern(cursor: Cursor, at: Token, operator: Operator, right: Value) -> None:
    if not isinstance(right, Text):
        cursor.note(at, f'"{operator.name}" takes a pattern in quotes', "bad-pattern")
        return
    try:
        compile_pattern(right.value)
    except PatternError as error:
        offset, length = cursor.place(right)
        cursor.problems.append(ExprProblem(offset, length, str(error), "bad-pattern"))


def _delay(cursor: Cursor, token: Token, operator: Operator) -> Delay:
    try:
        delay = parse_delay(token.value)
    except TimeSyntaxError as error:
        raise cursor.stop(token, str(error), "bad-duration") from None
    if operator.right == "days" and delay.ms % DAY:
        message = f'"{operator.name.replace("_", token.value)}" takes whole days, for example 3d'
        raise cursor.stop(token, message, "bad-duration")
    if operator.name in ANNIVERSARIES and not 0 < delay.ms <= 366 * DAY:
        message = "an anniversary is at most 366d away; write days or weeks"
        raise cursor.stop(token, message, "bad-duration")
    return delay


def sum_of(cursor: Cursor) -> Node:
    """Read values joined by ``+`` and ``-``."""
    return _chain(cursor, ("+", "-"), _product)


def _product(cursor: Cursor) -> Node:
    return _chain(cursor, ("*", "/"), _operand)


def _operand(cursor: Cursor) -> Node:
    return operands.operand(cursor, condition)


def _chain(cursor: Cursor, signs: tuple[str, ...], part: operands.Reader) -> Node:
    start = cursor.here
    node = part(cursor)
    length = 0
    while cursor.here.says(*signs):
        sign = cursor.take()
        length += 1
        with cursor.deeper(sign, length):
            right = part(cursor)
        op = operands.SIGNS[sign.value]
        node = cursor.placed(Arithmetic(op, cursor.value(node), cursor.value(right)), start)
    return node
