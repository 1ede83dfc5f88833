"""Places in the source: of nodes by their keys, and of the characters of a text."""

from __future__ import annotations

from transforms.flows.definitions.shapes import Flaw
from transforms.flows.diagnostics import Report
from transforms.flows.reading.nodes import Mapping, Node, Scalar, Sequence


def place(root: Mapping, *keys: str | int, at_key: bool = False) -> tuple[int, int]:
    """Return the place of the value under nested keys, or with ``at_key`` of the last key itself.

    If a key is missing, the place is that of the last one that exists. The place of a list is that
    of its key; a number is the index of an item of a list.
    """
    span = root.items[0][0].span if root.items else root.span
    node: Node | None = root
    for key in keys:
        if isinstance(key, int):
            node = node.items[key] if isinstance(node, Sequence) else None
            continue
        name = node.key(key) if isinstance(node, Mapping) else None
        node = node.get(key) if isinstance(node, Mapping) else None
        if name is None or node is None:
            return span
        span = name.span if at_key or isinstance(node, Sequence) else node.span
    return span


def report_flaw(report: Report, root: Mapping, flaw: Flaw, key: Scalar | None = None) -> None:
    """Report what a check found in a map; ``key`` is the place of flaws of the whole map."""
    span = place(root, *flaw.keys, at_key=flaw.at_key)
    span = key.span if key is not None and not flaw.keys else span
    report.add(span, flaw.code, flaw.message, flaw.help, flaw.severity)


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
