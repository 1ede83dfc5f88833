"""Draws a graph as one SVG picture: no script, no outside font, light and dark by the viewer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from transforms.authoring.graph import Edge, Graph, Node
from transforms.authoring.graph_boxes import MARGIN, Card, Head, Label, number_text, safe
from transforms.authoring.graph_layout import Layout, Link, Point, Route, Size, place
from transforms.authoring.graph_style import ARROW, style

LOOP = 30.0
"""How far an edge from a box to itself leads out of it."""
BESIDE = 40.0
"""Between the steps and what stands beside them."""
APART = 16.0


def to_svg(graph: Graph) -> str:
    """Draw the graph: the steps from top to bottom, exit rules and goals beside them."""
    cards = {node.id: Card(node) for node in graph.nodes}
    edges = _joined(graph.edges)
    steps = [node for node in graph.nodes if not node.aside]
    layout = _layout(edges, steps, cards)
    asides = [cards[node.id] for node in graph.nodes if node.aside]
    low = sum(card.height + APART for card in asides)
    side = _reach(layout, edges, cards, low) + BESIDE
    head = Head(graph)
    centres = {**layout.centres, **dict(_column(asides, side))}
    right = max((x + cards[name].width / 2 for name, (x, _) in centres.items()), default=0.0)
    width = 2 * MARGIN + max(right, layout.width, head.width)
    height = 2 * MARGIN + head.height + max(layout.height, low - APART)
    routed = list(zip(edges, layout.routes, strict=True))
    parts = [
        *(_edge(edge, route, centres, cards) for edge, route in routed),
        *(_label(edge, route, centres, cards) for edge, route in routed if edge.label.strip()),
        *(cards[node.id].draw(centres[node.id]) for node in graph.nodes),
    ]
    shift = f"translate({number_text(MARGIN)} {number_text(MARGIN + head.height)})"
    body = [*head.draw(), f'<g transform="{shift}">', *parts, "</g>"]
    return "\n".join([*_opening(graph, width, height), *body, "</svg>", ""])


def _opening(graph: Graph, width: float, height: float) -> Iterator[str]:
    w, h = number_text(width), number_text(height)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{safe(graph.title)}" '
        f'width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
    )
    yield f"<title>{safe(graph.title)}</title>"
    if graph.about:
        yield f"<desc>{safe(graph.about)}</desc>"
    yield style()
    yield ARROW
    yield f'<rect class="page" width="{w}" height="{h}" rx="14"/>'


def _column(asides: Sequence[Card], side: float) -> Iterator[tuple[str, Point]]:
    """Stack cards of one width."""
    y = 0.0
    width = max((card.width for card in asides), default=0.0)
    for card in asides:
        card.width = width
        yield card.node.id, (side + width / 2, y + card.height / 2)
        y += card.height + APART


def _reach(layout: Layout, edges: Sequence[Edge], cards: dict[str, Card], low: float) -> float:
    """Say how far to the right anything stands above ``low``."""
    found = [-BESIDE]
    for name, (x, y) in layout.centres.items():
        if y - cards[name].height / 2 < low:
            found.append(x + cards[name].width / 2)
    for edge, route in zip(edges, layout.routes, strict=True):
        label = Label(edge.label)
        if edge.source == edge.target:
            x, y = layout.centres[edge.source]
            found += [x + cards[edge.source].width / 2 + LOOP + label.width] * (y - 60 < low)
        elif route.label and route.label[1] - label.height / 2 < low:
            found.append(route.label[0] + label.width / 2)
        for (x, y), (to_x, to_y) in pairwise(route.points):
            found += [max(x, to_x)] * (min(y, to_y) < low)
    return max(found)


def _joined(edges: Sequence[Edge]) -> list[Edge]:
    """Make one edge of those that lead from a box back to itself."""
    loops: dict[str, list[str]] = {}
    for edge in edges:
        if edge.source == edge.target:
            loops.setdefault(edge.source, []).append(edge.label)
    rest = [edge for edge in edges if edge.source != edge.target]
    return [*rest, *(Edge(name, name, " or ".join(labels)) for name, labels in loops.items())]


def _layout(edges: Sequence[Edge], steps: Sequence[Node], cards: dict[str, Card]) -> Layout:
    loops = {e.source: Label(e.label).width for e in edges if e.source == e.target}
    sizes: dict[str, Size] = {}
    for node in steps:
        beside = 2 * (LOOP + loops[node.id]) if node.id in loops else 0.0
        sizes[node.id] = (cards[node.id].width + beside, cards[node.id].height)
    links = [Link(e.source, e.target, Label(e.label).size) for e in edges]
    return place(sizes, links)


def _edge(edge: Edge, route: Route, centres: dict[str, Point], cards: dict[str, Card]) -> str:
    kind = "edge back" if route.back else "edge"
    if edge.source == edge.target:
        x, y = centres[edge.source]
        x += cards[edge.source].width / 2
        path = f"M{number_text(x)} {number_text(y + 12)}c{LOOP:g} 0 {LOOP:g} -24 2 -24"
    else:
        path = _path(route.points)
    return f'<path class="{kind}" d="{path}" marker-end="url(#arrow)"/>'


def _label(edge: Edge, route: Route, centres: dict[str, Point], cards: dict[str, Card]) -> str:
    label = Label(edge.label)
    if edge.source == edge.target:
        x, y = centres[edge.source]
        beside = cards[edge.source].width / 2 + LOOP + label.width / 2 - 4
        return label.draw((x + beside, y))
    return label.draw(route.label or route.points[0])


def _path(points: Sequence[Point]) -> str:
    """Join points: a straight line down a row, a bend from one column to another."""
    parts = [f"M{number_text(points[0][0])} {number_text(points[0][1])}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        if (x, y) == (to_x, to_y):
            continue
        if abs(x - to_x) < 0.05:
            parts.append(f"V{number_text(to_y)}")
        else:
            half = number_text((y + to_y) / 2)
            parts.append(
                f"C{number_text(x)} {half} {number_text(to_x)} {half} {number_text(to_x)} {number_text(to_y)}"
            )
    return "".join(parts)
