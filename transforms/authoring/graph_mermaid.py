"""Writes a graph as Mermaid text, which many Markdown viewers draw."""

from __future__ import annotations

import re

from transforms.authoring.graph import COLOURS, Graph, Kind, Node

_SHAPES: dict[Kind, tuple[str, str]] = {
    "enter": ("([", "])"),
    "decide": ("{{", "}}"),
    "end": ("([", "])"),
    "goal": ("([", "])"),
}
_UNSAFE = re.compile(r"[^\w .,:;=+\-*/()%·…$@]")


def to_mermaid(graph: Graph) -> str:
    """Write a top-down flowchart; the text of every box is escaped."""
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    lines += [f"  {ids[node.id]}{_box(node)}:::{_class(node.kind)}" for node in graph.nodes]
    for edge in graph.edges:
        label = f'|"{_safe(edge.label)}"|' if edge.label else ""
        lines.append(f"  {ids[edge.source]} -->{label} {ids[edge.target]}")
    used = dict.fromkeys(node.kind for node in graph.nodes)
    lines += [
        f"  classDef {_class(kind)} stroke:{COLOURS[kind][0]},stroke-width:2px" for kind in used
    ]
    return "\n".join(lines) + "\n"


def _class(kind: Kind) -> str:
    """Return the class of a kind; ``end`` alone is a keyword of Mermaid."""
    return f"kind_{kind}"


def _box(node: Node) -> str:
    before, after = _SHAPES.get(node.kind, ("[", "]"))
    rows = [_safe(node.caption), f"<b>{_safe(node.title)}</b>", *map(_safe, node.details)]
    return f'{before}"{"<br/>".join(rows)}"{after}'


def _safe(text: str) -> str:
    """Escape a text for Mermaid and HTML."""
    one_line = " ".join(text.split())
    return _UNSAFE.sub(lambda m: f"#{ord(m[0])};", one_line)
