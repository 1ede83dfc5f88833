"""What users send, from nodes: numbers of a space, and the triggers, cases and steps about them."""

from __future__ import annotations

from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.space import Number
from transforms.flows.definitions.steps.branches import Keywords, MatchMessage
from transforms.flows.definitions.steps.kinds import Verb
from transforms.flows.definitions.steps.waits import Case, CaseCall, CaseInbound
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.triggers.messages import OnCall, OnInbound, OnIncoming
from transforms.flows.definitions.values import keyword
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.reading.branches import read_cases
from transforms.flows.reading.fields import Fields, fields
from transforms.flows.reading.nodes import Node, Scalar, Sequence
from transforms.flows.reading.values import Reading

ANY = "any"
LONGEST_KEYWORD = 160


def read_number(reading: Reading, key: Scalar, node: Node) -> Number | None:
    """Read a number, or a sender's name, with the channels of its messages and calls."""
    found = fields(reading, node, f'number "{key.text}"')
    if found is None:
        return None
    messages = found.read("messages", lambda inner: _channels(reading, inner)) or ()
    calls = found.read("calls", lambda inner: _channels(reading, inner)) or ()
    if not found.node.items:
        known = "write for example {messages: sms}"
        reading.problem(key, "missing-key", f"{found.what} takes neither messages nor calls", known)
    found.close()
    return Number(key.text, messages, calls)


def _channels(reading: Reading, node: Node) -> tuple[str, ...]:
    """Read one channel or a list of them."""
    if isinstance(node, Sequence):
        return reading.many(node, reading.channel)
    channel = reading.channel(node)
    return () if channel is None else (channel,)


def _keywords(reading: Reading, node: Node) -> tuple[str, ...] | None:
    """Read ``any``, which is no word at all, one keyword or a list of them."""
    if isinstance(node, Scalar):
        text = reading.text(node)
        if text is not None and "," in text and not node.style:
            said = f'"{text}" is one keyword, with its comma'
            reading.warn(node, "one-keyword", said, f"several keywords are written [{text}]")
        return None if text is None else () if keyword(text) == ANY else (text.strip(),)
    words = reading.texts(node)
    if isinstance(node, Sequence) and not node.items:
        reading.problem(node, "wrong-kind", "an empty list of keywords", "write any, or a keyword")
    seen: dict[str, None] = {}
    for item in node.items if isinstance(node, Sequence) else ():
        word = keyword(item.text) if isinstance(item, Scalar) else ""
        if word and word in seen:
            said = f'keyword "{word}" stands twice'
            reading.problem(item, "duplicate-keyword", said, "upper and lower case are the same")
        if len(word) > LONGEST_KEYWORD:
            said = f"a keyword has at most {LONGEST_KEYWORD} letters"
            reading.problem(item, "too-long", said, "where: takes conditions on message.text")
        seen[word] = None
    return tuple(word.strip() for word in words) or None


def _place(reading: Reading, found: Fields, what: str) -> tuple[str | None, str | None]:
    """Read ``number`` and ``channel``, which have to fit: ``what`` is messages or calls."""
    number = found.read("number", reading.number)
    channel = found.read("channel", reading.channel)
    known = reading.known.numbers.get(number or "")
    node = found.get("number")
    if known is None or node is None:
        return number, channel
    taken = known.calls if what == "calls" else known.messages
    if not taken:
        said = f'number "{number}" takes no {what}'
        reading.problem(node, "wrong-number", said, f"add {what}: CHANNEL to it in space.yaml")
    elif channel is not None and channel not in taken:
        said = f'number "{number}" takes {what} on {", ".join(taken)}, not on {channel}'
        reading.problem(node, "wrong-number", said)
    return number, channel


def _where(reading: Reading, found: Fields, in_session: bool) -> Expr | None:
    """Read a condition on what was sent, ``message.``."""
    hand = reading.known.hand if in_session else frozenset()
    about = Reading(reading.report, reading.known.at_hand(*hand, "message"))
    return found.read("where", about.condition)


def _true(reading: Reading, found: Fields) -> None:
    if found.read("call", reading.flag) is False:
        node = found.get("call") or found.node
        reading.problem(node, "wrong-kind", "call is false", "leave it out")


def on_inbound(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    """Read a trigger on messages with a keyword, or any, to a number or in a channel (I5, I6)."""
    words = found.need("inbound", lambda node: _keywords(reading, node))
    number, channel = _place(reading, found, "messages")
    if "number" not in found and "channel" not in found:
        known = "write number: or channel:"
        reading.problem(found.lead, "missing-key", f"{found.what} needs a place", known)
    where = _where(reading, found, False)
    return None if words is None else OnInbound(words, number, channel, where, again)


def on_call(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    """Read a trigger on calls of a number (I8)."""
    _true(reading, found)
    if "number" not in found:
        reading.problem(found.lead, "missing-key", f'{found.what} needs "number"')
    number, channel = _place(reading, found, "calls")
    where = _where(reading, found, False)
    return None if number is None else OnCall(number, channel, where, again)


def on_incoming(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    """Read a trigger on whatever comes in a channel (C11)."""
    channel = found.need("incoming", reading.channel)
    where = _where(reading, found, False)
    return None if channel is None else OnIncoming(channel, where, again)


def case_inbound(reading: Reading, found: Fields, then: str | None) -> Case | None:
    """Read a case of a wait for a message."""
    words = found.need("inbound", lambda node: _keywords(reading, node))
    number, channel = _place(reading, found, "messages")
    where = _where(reading, found, True)
    return None if words is None else CaseInbound(words, number, channel, where, then)


def case_call(reading: Reading, found: Fields, then: str | None) -> Case | None:
    """Read a case of a wait for a call."""
    _true(reading, found)
    number, channel = _place(reading, found, "calls")
    return CaseCall(number, channel, _where(reading, found, True), then)


def match_message(reading: Reading, found: Fields) -> Verb | None:
    """Read the branches of ``match_message`` by keyword, and ``else``."""
    cases = read_cases(reading, found, "match_message", _branch)
    return MatchMessage(cases, found.read("else", reading.step))


def _branch(reading: Reading, node: Node) -> Keywords | None:
    found = fields(reading, node, "a case")
    if found is None:
        return None
    words = found.need("inbound", lambda inner: _keywords(reading, inner))
    then = found.read("then", reading.step)
    found.close()
    return None if words is None else Keywords(words, then)
