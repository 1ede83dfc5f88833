"""Text to nodes: names, literals, ``part of x``, ``any(...)`` and aggregates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from transforms.flows.clock.delays import Delay, TimeSyntaxError, parse_delay
from transforms.flows.clock.zones import DAY
from transforms.flows.expressions.syntax.ast import (
    Calculated,
    Fact,
    Flag,
    FlowFact,
    Items,
    Member,
    Node,
    Now,
    Number,
    Part,
    Path,
    Quantified,
    Root,
    Segment,
    Tagged,
    Text,
)
from transforms.flows.expressions.syntax.cursor import Cursor, described
from transforms.flows.expressions.syntax.lex import MOST_DIGITS, Token
from transforms.flows.expressions.syntax.operators import FUNCTIONS, PARTS
from transforms.flows.expressions.syntax.phrases import is_since_entry
from transforms.flows.expressions.syntax.suggestions import close

Reader = Callable[[Cursor], Node]
Function = Literal["count", "sum", "min", "max", "average", "first", "last"]

SIGNS: dict[str, Literal["+", "-", "*", "/"]] = {"+": "+", "-": "-", "*": "*", "/": "/"}
ROOTS: dict[str, Root] = {
    "event": "event",
    "entry": "entry",
    "user": "user",
    "participant": "participant",
    "session": "session",
    "communication": "communication",
    "communications": "communications",
    "message": "message",
    "item": "item",
}
NAMED = ("flow", "audience", "tag", "visit")
MOST_SEGMENTS = 16
LONGEST_WINDOW = 400 * DAY

_FUNCTIONS: dict[str, Function] = {
    "count": "count",
    "sum": "sum",
    "min": "min",
    "max": "max",
    "average": "average",
    "first": "first",
    "last": "last",
}


def operand(cursor: Cursor, condition: Reader) -> Node:
    """Read one value, or a condition in parentheses."""
    start = cursor.take()
    match start.kind:
        case "text":
            return cursor.placed(Text(start.value), start)
        case "number":
            return cursor.placed(Number(_number(cursor, start)), start)
        case "duration":
            message = f'"{start.value}" is a duration; it follows within last, more than and so on'
            raise cursor.stop(start, message, "misplaced-duration")
        case "sign":
            return _signed(cursor, start, condition)
        case "word":
            return _word(cursor, start, condition)
    raise cursor.stop(start, f"a value is expected, not {described(start)}", "syntax")


def _signed(cursor: Cursor, start: Token, condition: Reader) -> Node:
    if start.value == "(":
        node = condition(cursor)
        cursor.expect(")", 'a bracket is not closed: ")" is expected')
        return node
    if start.value == "[":
        return _items(cursor, start)
    if start.value == "-" and cursor.here.kind == "number":
        token = cursor.take()
        return cursor.placed(Number(-_number(cursor, token)), start)
    cursor.at -= 1
    raise cursor.stop(start, f"a value is expected, not {described(start)}", "syntax")


def _number(cursor: Cursor, token: Token) -> float:
    if len(token.value) > MOST_DIGITS:
        cursor.note(token, f"a number has at most {MOST_DIGITS} digits", "bad-number")
        return 0
    number = float(token.value)
    return int(number) if number.is_integer() else number


def _items(cursor: Cursor, start: Token) -> Items:
    items: list[Text | Number | Flag] = []
    while not cursor.passes("]"):
        if items:
            cursor.expect(",", 'the items of a list are separated by ","')
        items.append(_literal(cursor))
    return cursor.placed(Items(tuple(items)), start)


def _literal(cursor: Cursor) -> Text | Number | Flag:
    start = cursor.take()
    sign = -1 if start.says("-") else 1
    token = cursor.take() if sign < 0 else start
    if token.kind == "number":
        return cursor.placed(Number(sign * _number(cursor, token)), start)
    if token.kind == "text" and sign > 0:
        return cursor.placed(Text(token.value), start)
    if token.says("true", "false"):
        return cursor.placed(Flag(token.value == "true"), start)
    meant = f'"{token.value}"' if token.kind == "word" else None
    message = f"a list holds texts in quotes, numbers, true and false, not {described(token)}"
    raise cursor.stop(token, message, "bad-list", meant)


def _word(cursor: Cursor, start: Token, condition: Reader) -> Node:
    word, following = start.value, cursor.here
    if word in ("true", "false"):
        return cursor.placed(Flag(word == "true"), start)
    if following.says("("):
        return _called(cursor, start, condition)
    if word in PARTS and cursor.passes("of"):
        with cursor.deeper(start):
            of = cursor.value(operand(cursor, condition))
        return cursor.placed(Part(word, of), start)
    if word in ROOTS and (word == "item" or following.says(".", "[")):
        return _path(cursor, start)
    if word in NAMED and following.says(".", "["):
        return _named(cursor, start)
    if word == "now":
        return _outside(cursor, start, Now())
    raise _unknown(cursor, start)


def _unknown(cursor: Cursor, start: Token) -> Exception:
    word = start.value
    if word in ROOTS or word in NAMED:
        return cursor.stop(start, f'"{word}" is followed by a name: {word}.name', "syntax")
    if word in ("null", "nil", "none", "None", "NULL", "undefined"):
        message = f'"{word}" is no value; ask for a missing value with "is not set"'
        return cursor.stop(start, message, "unknown-name", "is not set")
    meant = close(word, [*ROOTS, *NAMED, "now", "true", "false", "not"])
    if meant is None and not cursor.here.says(".", "["):
        return cursor.stop(
            start, f'"{word}" is no name; a text stands in quotes', "unknown-name", f'"{word}"'
        )
    message = f'"{word}" is not known; names begin with {", ".join([*ROOTS, *NAMED])}'
    return cursor.stop(start, message, "unknown-name", meant)


def _outside(cursor: Cursor, start: Token, node: Node) -> Node:
    """Note what cannot be read when an event is counted: all but the event itself."""
    if cursor.counting:
        message = f'an aggregate reads only its event, not "{start.value}"'
        cursor.note(start, message, "aggregate-scope")
    return cursor.placed(node, start)


def _segments(cursor: Cursor) -> tuple[list[Segment], bool]:
    """Read ``.city["Order Id"][0]``; tell whether the first stood after a point."""
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
            message = f"in brackets stands a name in quotes or a number, not {described(token)}"
            raise cursor.stop(token, message, "syntax")
        cursor.expect("]", 'a bracket is not closed: "]" is expected')
    if len(path) > MOST_SEGMENTS:
        raise cursor.stop(cursor.here, f"a name has at most {MOST_SEGMENTS} parts", "too-deep")
    return path, dotted


def _path(cursor: Cursor, start: Token) -> Node:
    root = ROOTS[start.value]
    path, dotted = _segments(cursor)
    if root == "item":
        if not cursor.in_item:
            cursor.note(start, '"item" stands only inside any(...) and all(...)', "item-scope")
        return cursor.placed(Path(root, tuple(path)), start)
    if path and isinstance(path[0], int):
        message = f'"{root}" has names, not numbers: {root}["{path[0]}"]'
        raise cursor.stop(start, message, "syntax", f'{root}["{path[0]}"]')
    if root == "communications" and len(path) < 2:
        message = (
            "communications is followed by a send step and a field: communications.offer.status"
        )
        raise cursor.stop(start, message, "syntax")
    if dotted and len(path) == 1:
        if root == "event" and path[0] == "time":
            return cursor.placed(Fact("event.time"), start)
        if root == "session" and path[0] == "id":
            return _outside(cursor, start, Fact("session.id"))
        if root == "session" and path[0] == "started":
            return _outside(cursor, start, Fact("session.started"))
    if root == "event":
        return cursor.placed(Path(root, tuple(path)), start)
    return _outside(cursor, start, Path(root, tuple(path)))


def _named(cursor: Cursor, start: Token) -> Node:
    path, _ = _segments(cursor)
    if not isinstance(path[0], str) or not path[0]:
        raise cursor.stop(start, f'"{start.value}" is followed by a name', "syntax")
    name, rest = path[0], path[1:]
    if start.value == "tag" and not rest:
        return _outside(cursor, start, Tagged(name))
    if start.value == "audience" and rest in ([], ["since"]):
        return _outside(cursor, start, Member(name, bool(rest)))
    if start.value == "flow":
        match rest:
            case ["in"]:
                return _outside(cursor, start, FlowFact(name, "in"))
            case ["step"]:
                return _outside(cursor, start, FlowFact(name, "step"))
            case ["times"]:
                return _outside(cursor, start, FlowFact(name, "times"))
    if start.value == "visit":
        match name, rest:
            case "count", []:
                return _outside(cursor, start, Fact("visit.count"))
            case "started", []:
                return _outside(cursor, start, Fact("visit.started"))
            case "last", []:
                return _outside(cursor, start, Fact("visit.last"))
            case "events", []:
                return _outside(cursor, start, Fact("visit.events"))
    forms = {
        "tag": "tag.name",
        "audience": "audience.name or audience.name.since",
        "flow": "flow.name.in, flow.name.step or flow.name.times",
        "visit": "visit.count, visit.started, visit.last or visit.events",
    }
    raise cursor.stop(start, f"write {forms[start.value]}", "unknown-name")


def _called(cursor: Cursor, start: Token, condition: Reader) -> Node:
    word = start.value
    if word in ("any", "all"):
        return _quantified(cursor, start, condition)
    if word not in _FUNCTIONS:
        meant = close(word, [*FUNCTIONS, "any", "all"])
        message = f'"{word}" is no function; there are {", ".join([*FUNCTIONS, "any", "all"])}'
        raise cursor.stop(start, message, "unknown-function", meant)
    if cursor.counting:
        raise cursor.stop(start, "an aggregate cannot stand inside another", "aggregate-scope")
    cursor.take()
    with cursor.deeper(start), cursor.inside(counting=True):
        node = _calculated(cursor, _FUNCTIONS[word], condition)
        cursor.expect(")", f'{word}(...) is not closed: ")" is expected')
    return cursor.placed(node, start)


def _quantified(cursor: Cursor, start: Token, condition: Reader) -> Node:
    cursor.take()
    if cursor.in_item:
        raise cursor.stop(start, "any and all cannot stand inside each other", "item-scope")
    with cursor.deeper(start):
        of = cursor.value(operand(cursor, condition))
        cursor.expect("where", f'"{start.value}" goes on with "where"')
        with cursor.inside(in_item=True):
            where = condition(cursor)
    cursor.expect(")", f'{start.value}(...) is not closed: ")" is expected')
    return cursor.placed(Quantified("any" if start.value == "any" else "all", of, where), start)


def _calculated(cursor: Cursor, function: Function, condition: Reader) -> Calculated:
    value = None
    if function in ("sum", "min", "max", "average"):
        if cursor.peek(1).kind == "text" and cursor.sees("event"):
            example = f'{function}(event.total of event "{cursor.peek(1).value}")'
            raise cursor.stop(cursor.here, f"{function} needs a value: {example}", "syntax")
        value = cursor.value(condition(cursor))
        cursor.expect("of", f'{function}(event.total of event "...") is expected')
    cursor.expect("event", f'{function} goes on with event and its name: event "Order Completed"')
    name = cursor.take()
    if name.kind != "text" or not name.value:
        message = f"the event's name stands in quotes, not {described(name)}"
        raise cursor.stop(name, message, "syntax", f'"{name.value}"' if name.value else None)
    where = condition(cursor) if cursor.passes("where") else None
    return Calculated(function, name.value, value, where, _period(cursor))


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
        message = f'a sliding period has a fixed length, which "{token.value}" has not'
        raise cursor.stop(token, message, "bad-duration", f"{days}d")
    if delay.ms > LONGEST_WINDOW:
        raise cursor.stop(token, "a period is at most 400d long", "bad-duration", "400d")
    return delay
