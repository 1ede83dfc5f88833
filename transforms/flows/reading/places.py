"""Places in the source: of nodes by their keys, and of the characters of a text."""

from __future__ import annotations

from transforms.flows.reading.nodes import Mapping, Node, Scalar


def place(root: Mapping, *keys: str) -> tuple[int, int]:
    """Return the place of the value under nested keys, else of the last key that exists."""
    span = root.items[0][0].span if root.items else root.span
    node: Node | None = root
    for key in keys:
        name = node.key(key) if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or name is None:
            return span
        node = node.get(key)
        span = node.span if isinstance(node, Scalar) else name.span
    return span


def place_of_key(root: Mapping, *keys: str) -> tuple[int, int]:
    """Return the place of the last of nested keys itself."""
    node: Node | None = root
    for key in keys[:-1]:
        node = node.get(key) if isinstance(node, Mapping) else None
    name = node.key(keys[-1]) if isinstance(node, Mapping) else None
    return name.span if name is not None else place(root, *keys)


def offsets(text: str, scalar: Scalar) -> list[int]:
    """Map each character of a scalar's value, and its end, to its offset in the source.

    Folded lines, escapes and block indentation are skipped; the characters of the value have the
    same order in the source.
    """
    at = scalar.start
    if scalar.style in ("'", '"'):
        at += 1
    elif scalar.style in ("|", ">"):
        at = text.index("\n", at) + 1
    places = []
    for char in scalar.text:
        if not char.isspace():
            at = _skip_blank(text, at, scalar)
        places.append(min(at, scalar.end))
        at += _width(text, at, scalar.style) if at < scalar.end else 0
    return [*places, min(at, scalar.end)]


def _skip_blank(text: str, at: int, scalar: Scalar) -> int:
    while at < scalar.end and (
        text[at].isspace() or (scalar.style == '"' and text[at : at + 2] == "\\\n")
    ):
        at += 2 if text[at] == "\\" else 1
    return at


def _width(text: str, at: int, style: str) -> int:
    if style == "'" and text[at : at + 2] == "''":
        return 2
    if style == '"' and text[at] == "\\":
        return {"x": 4, "u": 6, "U": 10}.get(text[at + 1], 2)
    return 1
