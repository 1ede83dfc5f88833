"""What users send: numbers of a space, and the keywords of triggers, cases and steps."""

from __future__ import annotations

from typing import Literal

from transforms.flows.definitions.space import Number
from transforms.flows.definitions.values import keyword
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
        return reading.many(node, lambda inner: reading.listed(inner, "channel"))
    channel = reading.listed(node, "channel")
    return () if channel is None else (channel,)


def keywords(reading: Reading, node: Node) -> tuple[str, ...] | None:
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


def number(found: Fields, node: Node, takes: Literal["messages", "calls"]) -> str | None:
    """Read a number of the space, which has to fit the channel beside it, if one is named."""
    reading = found.reading
    name = reading.listed(node, "number")
    channel = found.node.get("channel")
    on = channel.text if isinstance(channel, Scalar) and channel.text.strip() else None
    known = reading.known.numbers.get(name or "")
    if known is None:
        return name
    taken = known.calls if takes == "calls" else known.messages
    if not taken:
        said = f'number "{name}" takes no {takes}'
        reading.problem(node, "wrong-number", said, f"add {takes}: CHANNEL to it in space.yaml")
    elif on is not None and on not in taken:
        said = f'number "{name}" takes {takes} on {", ".join(taken)}, not on {on}'
        reading.problem(node, "wrong-number", said)
    return name
