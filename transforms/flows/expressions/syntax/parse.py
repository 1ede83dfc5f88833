"""Parses an expression: text to nodes, with every problem that can be found.

From loose to tight: ``or``, ``and``, ``not``, operators, ``+ -``, ``* /``, names and literals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from transforms.flows.clock.delays import Delay, TimeSyntaxError, parse_delay
from transforms.flows.clock.zones import DAY
from transforms.flows.diagnostics import nearest
from transforms.flows.expressions.syntax import ast, lex
from transforms.flows.expressions.syntax.cursor import (
    ENDS,
    Cursor,
    StopError,
    TooDeepError,
    described,
    guess_operator,
    is_since_entry,
    operator_at,
    segments,
)
from transforms.flows.expressions.syntax.lex import MOST_DIGITS, Token
from transforms.flows.expressions.syntax.operators import (
    ANNIVERSARIES,
    FUNCTIONS,
    OPERATORS,
    PARTS,
    Operator,
)
from transforms.flows.expressions.syntax.patterns import PatternError, compile_pattern
from transforms.flows.expressions.syntax.write import to_text

SIGNS: dict[str, Literal["+", "-", "*", "/"]] = {"+": "+", "-": "-", "*": "*", "/": "/"}
ROOTS: dict[str, ast.Root] = {name: name for name in get_args(ast.Root)}
NAMED = {
    "flow": "flow.name.in, flow.name.step or flow.name.times",
    "audience": "audience.name or audience.name.since",
    "tag": "tag.name",
    "consent": 'consent.channel, consent.topic or consent["channel:topic"]',
    "visit": "visit.count, visit.started, visit.last or visit.events",
}
"""How names are written that begin with a word that is no root."""
LONGEST_WINDOW = 400 * DAY
_FUNCTIONS: dict[str, ast.Function] = {name: name for name in get_args(ast.Function)}


def parse(text: str) -> ast.Expr:
    """Read an expression.

    Raises ``ExpressionError`` with all problems found. At most 4096 characters, 64 levels deep.
    """
    if len(text) > lex.MOST_CHARACTERS:
        message = f"an expression has at most {lex.MOST_CHARACTERS} characters, not {len(text)}"
        raise ast.ExpressionError([ast.ExprProblem(0, len(text), message, "too-long")])
    tokens, problems = lex.tokens(text)
    cursor = Cursor(tokens, problems)
    root = _whole(cursor)
    if root is None or cursor.problems:
        raise ast.ExpressionError(sorted(set(cursor.problems), key=lambda problem: problem.offset))
    spans = tuple(cursor.place(node) for node in ast.walk(root))
    return ast.Expr(to_text(root), root, spans)


def _whole(cursor: Cursor) -> ast.Node | None:
    if _at_end(cursor):
        if not cursor.problems:
            cursor.note(cursor.here, "the expression is empty", "empty")
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


def _check_now(cursor: Cursor, node: ast.Node) -> None:
    dated = isinstance(node, ast.Compare) and OPERATORS[node.op].right == "date"
    dated = dated or (isinstance(node, ast.Part) and node.part != "length")
    for child in ast.children(node):
        if isinstance(child, ast.Now) and not dated:
            message = "now can only be compared with before, until, since, after and on"
            cursor.problems.append(ast.ExprProblem(*cursor.place(child), message, "now"))
        _check_now(cursor, child)


def condition(cursor: Cursor) -> ast.Node:
    """Read a condition or a value, up to a closing bracket or the end."""
    start = cursor.here
    with cursor.deeper(start):
        terms = [_conjunction(cursor)]
        while cursor.passes("or"):
            terms.append(_conjunction(cursor))
    if len(terms) == 1:
        return terms[0]
    flat = [
        part for term in terms for part in (term.terms if isinstance(term, ast.Or) else (term,))
    ]
    return cursor.placed(ast.Or(tuple(flat)), start)


def _conjunction(cursor: Cursor) -> ast.Node:
    start = cursor.here
    terms = [_negation(cursor)]
    while cursor.passes("and"):
        terms.append(_negation(cursor))
    if len(terms) == 1:
        return terms[0]
    flat = [
        part for term in terms for part in (term.terms if isinstance(term, ast.And) else (term,))
    ]
    return cursor.placed(ast.And(tuple(flat)), start)


def _negation(cursor: Cursor) -> ast.Node:
    start = cursor.here
    if cursor.passes("not"):
        with cursor.deeper(start):
            return cursor.placed(ast.Not(_negation(cursor)), start)
    first = cursor.at
    try:
        return _decision(cursor)
    except StopError:
        cursor.skip(first)
        return ast.Flag(True)


def _decision(cursor: Cursor) -> ast.Node:
    start = cursor.here
    left = sum_of(cursor)
    at = cursor.here
    operator = operator_at(cursor.tokens, cursor.at, counting=bool(cursor.counting))
    if operator is None:
        if at.kind == "end" or at.says(*ENDS) or _ends_value(cursor):
            return left
        raise cursor.stop(
            at,
            f"after {_quoted(cursor, left)} an operator is expected, not {described(at)}",
            "unknown-operator",
            guess_operator(cursor.tokens, cursor.at),
        )
    node = _applied(cursor, operator, cursor.value(left))
    return cursor.placed(node, start)


def _ends_value(cursor: Cursor) -> bool:
    ends = cursor.here.says("where", "of", "within", "since")
    return ends and (cursor.in_item or bool(cursor.counting))


def _quoted(cursor: Cursor, node: ast.Node) -> str:
    text = to_text(node)
    return f'"{text}"' if len(text) <= 40 else "this"


def _applied(cursor: Cursor, operator: Operator, left: ast.Value) -> ast.Node:
    first = cursor.here
    words = [cursor.take() for _ in operator.words]
    name = operator.name
    if operator.right == "":
        return ast.Test(name, left)
    if operator.right in ("delay", "days"):
        token = words[operator.words.index("_")]
        return ast.Span(name, left, _delay(cursor, token, operator))
    if operator.right == "pair":
        low = cursor.value(sum_of(cursor))
        cursor.expect("and", f'"{name}" takes two values: between 10 and 20')
        high = cursor.value(sum_of(cursor))
        return ast.Between("between" if name == "between" else "not between", left, low, high)
    right = cursor.value(sum_of(cursor))
    if operator.right == "pattern":
        _check_pattern(cursor, first, operator, right)
    return ast.Compare(name, left, right)


def _check_pattern(cursor: Cursor, at: Token, operator: Operator, right: ast.Value) -> None:
    if not isinstance(right, ast.Text):
        cursor.note(at, f'"{operator.name}" takes a pattern in quotes', "bad-pattern")
        return
    try:
        compile_pattern(right.value)
    except PatternError as error:
        offset, length = cursor.place(right)
        cursor.problems.append(ast.ExprProblem(offset, length, str(error), "bad-pattern"))


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


def sum_of(cursor: Cursor) -> ast.Node:
    """Read values joined by ``+`` and ``-``."""
    return _chain(cursor, ("+", "-"), _product)


def _product(cursor: Cursor) -> ast.Node:
    return _chain(cursor, ("*", "/"), operand)


def _chain(cursor: Cursor, signs: tuple[str, ...], part: Callable[[Cursor], ast.Node]) -> ast.Node:
    start = cursor.here
    node = part(cursor)
    length = 0
    while cursor.here.says(*signs):
        sign = cursor.take()
        length += 1
        with cursor.deeper(sign, length):
            right = part(cursor)
        op = SIGNS[sign.value]
        node = cursor.placed(ast.Arithmetic(op, cursor.value(node), cursor.value(right)), start)
    return node


def operand(cursor: Cursor) -> ast.Node:
    """Read one value, or a condition in parentheses."""
    start = cursor.take()
    match start.kind:
        case "text":
            return cursor.placed(ast.Text(start.value), start)
        case "number":
            return cursor.placed(ast.Number(_number(cursor, start)), start)
        case "duration":
            message = f'"{start.value}" is a duration; write for example within last {start.value}'
            raise cursor.stop(start, message, "misplaced-duration")
        case "sign":
            return _signed(cursor, start)
        case "word":
            return _word(cursor, start)
    raise cursor.stop(start, f"a value is expected, not {described(start)}", "syntax")


def _signed(cursor: Cursor, start: Token) -> ast.Node:
    if start.value == "(":
        node = condition(cursor)
        cursor.expect(")", 'a bracket is not closed: ")" is expected')
        return node
    if start.value == "[":
        return _items(cursor, start)
    if start.value == "-" and cursor.here.kind == "number":
        token = cursor.take()
        return cursor.placed(ast.Number(-_number(cursor, token)), start)
    cursor.at -= 1
    raise cursor.stop(start, f"a value is expected, not {described(start)}", "syntax")


def _number(cursor: Cursor, token: Token) -> float:
    if len(token.value) > MOST_DIGITS:
        cursor.note(token, f"a number has at most {MOST_DIGITS} digits", "bad-number")
        return 0
    number = float(token.value)
    return int(number) if number.is_integer() else number


def _items(cursor: Cursor, start: Token) -> ast.Items:
    items: list[ast.Text | ast.Number | ast.Flag] = []
    while not cursor.passes("]"):
        if items:
            cursor.expect(",", 'the items of a list are separated by ","')
        items.append(_literal(cursor))
    return cursor.placed(ast.Items(tuple(items)), start)


def _literal(cursor: Cursor) -> ast.Text | ast.Number | ast.Flag:
    start = cursor.take()
    sign = -1 if start.says("-") else 1
    token = cursor.take() if sign < 0 else start
    if token.kind == "number":
        return cursor.placed(ast.Number(sign * _number(cursor, token)), start)
    if token.kind == "text" and sign > 0:
        return cursor.placed(ast.Text(token.value), start)
    if token.says("true", "false"):
        return cursor.placed(ast.Flag(token.value == "true"), start)
    meant = f'"{token.value}"' if token.kind == "word" else None
    message = f"a list takes texts in quotes, numbers, true and false, not {described(token)}"
    raise cursor.stop(token, message, "bad-list", meant)


def _word(cursor: Cursor, start: Token) -> ast.Node:
    word, following = start.value, cursor.here
    if word in ("true", "false"):
        return cursor.placed(ast.Flag(word == "true"), start)
    if following.says("("):
        return _called(cursor, start)
    if word in PARTS and cursor.passes("of"):
        with cursor.deeper(start):
            of = cursor.value(operand(cursor))
        return cursor.placed(ast.Part(word, of), start)
    if word in ROOTS and (word == "item" or following.says(".", "[")):
        return _path(cursor, start)
    if word in NAMED and following.says(".", "["):
        return _named(cursor, start)
    if word == "now":
        return _outside(cursor, start, ast.Now())
    raise _unknown(cursor, start)


def _unknown(cursor: Cursor, start: Token) -> Exception:
    word = start.value
    if word in ROOTS or word in NAMED:
        return cursor.stop(start, f'"{word}" needs a name: {word}.name', "syntax")
    if word in ("null", "nil", "none", "None", "NULL", "undefined"):
        message = f'"{word}" is not a value; for a missing value write "is not set"'
        return cursor.stop(start, message, "unknown-name", "is not set")
    meant = nearest(word, [*ROOTS, *NAMED, "now", "true", "false", "not"])
    if meant is None and not cursor.here.says(".", "["):
        return cursor.stop(
            start, f'"{word}" is not a name; a text needs quotes', "unknown-name", f'"{word}"'
        )
    message = f'"{word}" is not known; names begin with {", ".join([*ROOTS, *NAMED])}'
    return cursor.stop(start, message, "unknown-name", meant)


def _outside(cursor: Cursor, start: Token, node: ast.Node) -> ast.Node:
    """Record a problem for names that an aggregate cannot read: all but those of what it counts."""
    if cursor.counting and start.value != cursor.counting:
        message = f'an aggregate can read only its {cursor.counting}, not "{start.value}"'
        cursor.note(start, message, "aggregate-scope")
    return cursor.placed(node, start)


def _path(cursor: Cursor, start: Token) -> ast.Node:
    root = ROOTS[start.value]
    path, dotted = segments(cursor)
    if root == "item":
        if not cursor.in_item:
            cursor.note(start, '"item" can be used only inside any(...) and all(...)', "item-scope")
        return cursor.placed(ast.Path(root, tuple(path)), start)
    if isinstance(path[0], int):
        message = f'"{root}" has names, not numbers: {root}["{path[0]}"]'
        raise cursor.stop(start, message, "syntax", f'{root}["{path[0]}"]')
    if root == "communications" and len(path) < 2:
        message = "communications needs a send step and a field: communications.offer.status"
        raise cursor.stop(start, message, "syntax")
    fact = ast.FACTS.get(f"{root}.{path[0]}")
    if fact is not None and dotted and len(path) == 1:
        return _outside(cursor, start, ast.Fact(fact))
    return _outside(cursor, start, ast.Path(root, tuple(path)))


def _named(cursor: Cursor, start: Token) -> ast.Node:
    (name, *rest), _ = segments(cursor)
    if not isinstance(name, str) or not name:
        raise cursor.stop(start, f'"{start.value}" needs a name', "syntax")
    node: ast.Node
    match start.value, rest:
        case "tag", []:
            node = ast.Tagged(name)
        case "consent", []:
            node = ast.Consent(name)
        case "audience", [] | ["since"]:
            node = ast.Member(name, bool(rest))
        case "flow", ["in" | "step" | "times" as fact]:
            node = ast.FlowFact(name, fact)
        case "visit", [] if f"visit.{name}" in ast.FACTS:
            node = ast.Fact(ast.FACTS[f"visit.{name}"])
        case _:
            raise cursor.stop(start, f"write {NAMED[start.value]}", "unknown-name")
    return _outside(cursor, start, node)


def _called(cursor: Cursor, start: Token) -> ast.Node:
    word = start.value
    if word in ("any", "all"):
        return _quantified(cursor, start)
    if word not in _FUNCTIONS:
        meant = nearest(word, [*FUNCTIONS, "any", "all"])
        message = (
            f'"{word}" is not a function; the functions are {", ".join([*FUNCTIONS, "any", "all"])}'
        )
        raise cursor.stop(start, message, "unknown-function", meant)
    if cursor.counting:
        raise cursor.stop(start, "an aggregate cannot be inside another", "aggregate-scope")
    cursor.take()
    with cursor.deeper(start), cursor.inside(counting="event"):
        node = _calculated(cursor, _FUNCTIONS[word])
        cursor.expect(")", f'{word}(...) is not closed: ")" is expected')
    return cursor.placed(node, start)


def _quantified(cursor: Cursor, start: Token) -> ast.Node:
    cursor.take()
    if cursor.in_item:
        raise cursor.stop(start, "any and all cannot be nested", "item-scope")
    with cursor.deeper(start):
        of = cursor.value(operand(cursor))
        cursor.expect("where", f'"{start.value}" needs "where"')
        with cursor.inside(in_item=True):
            where = condition(cursor)
    cursor.expect(")", f'{start.value}(...) is not closed: ")" is expected')
    return cursor.placed(ast.Quantified("any" if start.value == "any" else "all", of, where), start)


def _calculated(cursor: Cursor, function: ast.Function) -> ast.Calculated:
    value = None
    if function in ("sum", "min", "max", "average"):
        if cursor.peek(1).kind == "text" and cursor.sees("event"):
            example = f'{function}(event.total of event "{cursor.peek(1).value}")'
            raise cursor.stop(cursor.here, f"{function} needs a value: {example}", "syntax")
        value = cursor.value(condition(cursor))
        cursor.expect("of", f'{function}(event.total of event "...") is expected')
    elif cursor.passes("message"):
        with cursor.inside(counting="message"):
            where = condition(cursor) if cursor.passes("where") else None
        return ast.Calculated(function, None, None, where, _period(cursor))
    more = "" if value is not None else ", or message"
    cursor.expect("event", f'{function} needs the name of an event: event "Order Completed"{more}')
    name = cursor.take()
    if name.kind != "text" or not name.value:
        message = f"the name of the event needs quotes, not {described(name)}"
        raise cursor.stop(name, message, "syntax", f'"{name.value}"' if name.value else None)
    where = condition(cursor) if cursor.passes("where") else None
    return ast.Calculated(function, name.value, value, where, _period(cursor))


def _period(cursor: Cursor) -> Delay | Literal["entry"] | None:
    if cursor.sees("since") and is_since_entry(cursor.tokens, cursor.at):
        cursor.at += 2
        return "entry"
    if not cursor.passes("within"):
        return None
    cursor.expect("last", 'a period is written "within last 90d" or "since entry"')
    token = cursor.take()
    if token.kind != "duration":
        message = f"a duration is expected, for example 90d, not {described(token)}"
        raise cursor.stop(token, message, "bad-duration")
    try:
        delay = parse_delay(token.value)
    except TimeSyntaxError as error:
        raise cursor.stop(token, str(error), "bad-duration", error.suggestion) from None
    if not delay.ms:
        days = delay.months * 30 if delay.months < 12 else delay.months // 12 * 365
        message = f'a period needs a fixed length; the length of "{token.value}" varies'
        raise cursor.stop(token, message, "bad-duration", f"{days}d")
    if delay.ms > LONGEST_WINDOW:
        raise cursor.stop(token, "a period is at most 400d long", "bad-duration", "400d")
    return delay
