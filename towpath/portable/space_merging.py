"""A space's text with entries of another one added: what is there stays as it is, to the letter."""

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
    """Add what the space here lacks, each entry at the end of its section; None if it cannot be."""
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
    """Tell whether everything that was there still is."""
    now, before = root_of(text), root_of(here)
    settings = [key.text for key, _ in before.items if key.text not in SECTIONS]
    same = all(_same(now.get(key), before.get(key)) for key in settings)
    return same and _has(text, here)


def _has(text: str, wanted: str) -> bool:
    return not lacking(text, wanted) and not conflicts(text, wanted)


def _same(one: Node | None, other: Node | None) -> bool:
    return one is not None and other is not None and plain(one) == plain(other)


def _added(text: str, section: str, lines: dict[str, str]) -> str:
    """Add entries to one section, which is made if it is not there or empty."""
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
    """Write a key; one of digits, or with signs of YAML, in quotes."""
    return name if name[:1].isalpha() and not set(name) & set(":#,[]{}\"'") else json.dumps(name)


def _block(indent: str, lines: dict[str, str]) -> str:
    return "".join(f"{indent}{name}: {value}\n" for name, value in lines.items())


def _line_end(text: str, at: int) -> int:
    """Find where the line of an offset ends; an offset at its beginning is the end of another."""
    if at and text[at - 1] == "\n":
        return at
    stop = text.find("\n", at)
    return len(text) if stop < 0 else stop + 1


def _end(text: str, node: Node) -> int:
    """Find where the last value in a node ends; a block's own end is where the next one begins."""
    if text[node.start : node.start + 1] in ("{", "[") or isinstance(node, Scalar):
        return node.end
    match node:
        case Mapping() if node.items:
            return _end(text, node.items[-1][1])
        case Sequence() if node.items:
            return _end(text, node.items[-1])
        case _:
            return node.end
