"""Agents, tracking, keywords and numbers of steps and triggers."""

from __future__ import annotations

from typing import Literal

from transforms.flows.definitions import forms
from transforms.flows.definitions.values import TRACKED, keyword
from transforms.flows.diagnostics import quoted, suggest
from transforms.flows.reading.keys import Keys
from transforms.flows.reading.nodes import Node, Scalar, Sequence, items_of, text_of
from transforms.flows.reading.values import Reading

ANY = "any"
LONGEST_KEYWORD = 160

Pairs = tuple[tuple[str, str], ...]


def keywords(reading: Reading, node: Node) -> tuple[str, ...] | None:
    """Read ``any``, which is no word at all, one keyword or a list of them."""
    if isinstance(node, Scalar):
        text = reading.text(node)
        if text is not None and "," in text and not node.style:
            message = f'"{text}" is one keyword, with its comma'
            reading.warn(node, "one-keyword", message, f"several keywords are written [{text}]")
        return None if text is None else () if keyword(text) == ANY else (text.strip(),)
    words = reading.texts(node)
    if isinstance(node, Sequence) and not node.items:
        reading.problem(node, "wrong-kind", "an empty list of keywords", "write any, or a keyword")
    seen: dict[str, None] = {}
    for item in items_of(node):
        word = keyword(text_of(item))
        if word and word in seen:
            message = f'keyword "{word}" is repeated'
            reading.problem(item, "duplicate-keyword", message, "upper and lower case are the same")
        if len(word) > LONGEST_KEYWORD:
            message = f"a keyword has at most {LONGEST_KEYWORD} letters"
            reading.problem(item, "too-long", message, "where: takes conditions on message.text")
        seen[word] = None
    return tuple(word.strip() for word in words) or None


def number(keys: Keys, node: Node, takes: Literal["messages", "calls"]) -> str | None:
    """Read a number of the space, which has to fit the channel beside it, if one is named."""
    reading = keys.reading
    name = reading.listed(node, "number")
    on = text_of(keys.node.get("channel"))
    known = reading.known.numbers.get(name or "")
    if known is None:
        return name
    taken = known.calls if takes == "calls" else known.messages
    if not taken:
        message = f'number "{name}" takes no {takes}'
        reading.problem(node, "wrong-number", message, f"add {takes}: CHANNEL to it in space.yaml")
    elif on and on not in taken:
        message = f'number "{name}" takes {takes} on {", ".join(taken)}, not on {on}'
        reading.problem(node, "wrong-number", message)
    return name


def agents(keys: Keys, node: Node, form: forms.Agents) -> Pairs:
    """Read who sends: one agent, or a list of one for each of the channels at most (C15)."""
    reading, on_channels = keys.reading, _channels_of(keys, form.channel, form.failover)
    made: dict[str, str] = {}
    for item in node.items if isinstance(node, Sequence) else (node,):
        name = reading.text(item)
        if name is None or not isinstance(item, Scalar):
            continue
        on = check_agent(reading, item, reading.known.agents, on_channels)
        if on is not None and on in made:
            message = f'agents "{made[on]}" and "{name}" both send by {on}'
            reading.problem(item, "two-agents", message, "name one agent for each channel")
        elif on is not None:
            made[on] = name
    return tuple(made.items())


def tracked(keys: Keys, node: Node, form: forms.Tracked) -> tuple[str, ...]:
    """Read what is tracked of a step's messages (I31)."""
    able, on_channels = keys.reading.known.tracks, _channels_of(keys, form.channel, form.failover)
    tracks = tuple(dict.fromkeys(t for name in on_channels for t in able.get(name, ())))
    if on_channels[0] not in able:
        tracks = TRACKED
    return track_of(keys.reading, node, tracks, f"a message by {' or '.join(on_channels)}")


def _channels_of(keys: Keys, channel: str, failover: str) -> tuple[str, ...]:
    """Return the names at the keys of a step's channels, the first of which may be empty."""
    others = map(text_of, items_of(keys.node.get(failover)))
    return (text_of(keys.node.get(channel)), *filter(None, others))


def track_of(reading: Reading, node: Node, tracks: tuple[str, ...], what: str) -> tuple[str, ...]:
    """Read a list of what is tracked, all of which the channel can report."""
    read = reading.many(node, lambda inner: reading.one_of(inner, TRACKED))
    for item in items_of(node):
        text = text_of(item)
        if text in TRACKED and text not in tracks:
            hint = f"it can report {quoted(tracks)}" if tracks else "leave it out"
            reading.problem(item, "cannot-track", f"{what} cannot report {text}", hint)
    return tuple(dict.fromkeys(read))


def check_agent(
    reading: Reading, node: Scalar, agents: dict[str, str], channels: tuple[str, ...]
) -> str | None:
    """Return the channel of an agent, if it is one of these channels."""
    on = agents.get(node.text)
    fitting = [name for name, of in agents.items() if of in channels]
    if on is None:
        hint = suggest(node.text, agents) or "add it to agents in space.yaml"
        reading.problem(node, "unknown-agent", f'there is no agent "{node.text}"', hint)
    elif on not in channels:
        message = f'agent "{node.text}" sends by {on}, not by {" or ".join(channels)}'
        hint = f"name one of {quoted(fitting)}" if fitting else ""
        reading.problem(node, "agent-of-another-channel", message, hint)
        return None
    return on
