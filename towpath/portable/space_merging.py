"""Merge a space into another one's text; the existing text is kept unchanged."""

from __future__ import annotations

import json

from towpath.portable.space_subset import (
    SECTIONS,
    conflicts,
    entries,
    flow_text,
    lacking,
    plain,
    root_of,
)
from transforms.flows.reading.nodes import Mapping, Node, Scalar, Sequence


def merged(here: str, wanted: str) -> str | None:
    """Add what the space here lacks at the end of each section; None if that is impossible."""
    text = here if here.endswith("\n") or not here else here + "\n"
    has = entries(here)
    for section in SECTIONS:
        lines = {
            _key(name): flow_text(value)
            for (part, name), value in entries(wanted).items()
            if part == section and (part, name) not in has
        }
        if lines:
            text = _added(text, section, lines)
    kept = _holds(text, here) and _has(text, wanted)
    return text if kept else None


def _holds(text: str, here: str) -> bool:
    """Return True if nothing of the earlier text was lost."""
    now, before = root_of(text), root_of(here)
    settings = [key.text for key, _ in before.items if key.text not in SECTIONS]
    same = all(_same(now.get(key), before.get(key)) for key in settings)
    return same and _has(text, here)


def _has(text: str, wanted: str) -> bool:
    return not lacking(text, wanted) and not conflicts(text, wanted)


def _same(one: Node | None, other: Node | None) -> bool:
    return one is not None and other is not None and plain(one) == plain(other)


def _added(text: str, section: str, lines: dict[str, str]) -> str:
    """Add entries to one section; create it if it is missing or empty."""
    node = root_of(text).get(section)
    if node is None:
        return f"{text}\n{section}:\n{_block('  ', lines)}"
    if not isinstance(node, Mapping) or not node.items:
        end = _line_end(text, node.end)
        return f"{text[: node.start].rstrip()}\n{_block('  ', lines)}{text[end:]}"
    if text[node.start] == "{":
        inside = "".join(f", {name}: {value}" for name, value in lines.items())
        return text[: node.end - 1].rstrip() + inside + text[node.end - 1 :]
    first = node.items[0][0].start
    indent = " " * (first - text.rfind("\n", 0, first) - 1)
    cut = _line_end(text, _end(text, node))
    return text[:cut] + _block(indent, lines) + text[cut:]


def _key(name: str) -> str:
    """Format a key; quote it if it starts with a digit or contains YAML syntax."""
    return name if name[:1].isalpha() and not set(name) & set(":#,[]{}\"'") else json.dumps(name)


def _block(indent: str, lines: dict[str, str]) -> str:
    return "".join(f"{indent}{name}: {value}\n" for name, value in lines.items())


def _line_end(text: str, at: int) -> int:
    """Return the end of the line of an offset; at a line's start, the offset itself."""
    if at and text[at - 1] == "\n":
        return at
    stop = text.find("\n", at)
    return len(text) if stop < 0 else stop + 1


def _end(text: str, node: Node) -> int:
    """Return the end of the last value in a node; a block's own end is the next one's start."""
    if text[node.start : node.start + 1] in ("{", "[") or isinstance(node, Scalar):
        return node.end
    match node:
        case Mapping() if node.items:
            return _end(text, node.items[-1][1])
        case Sequence() if node.items:
            return _end(text, node.items[-1])
        case _:
            return node.end
