"""Draws a graph as one SVG file without scripts or fonts, in light and dark colors."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from transforms.authoring.graph import COLOURS, Edge, Graph, Kind, Node
from transforms.authoring.graph_layout import Layout, Link, Point, Route, Size, place

MARGIN = 28.0
CAPTION, TITLE, DETAIL, LABEL = 10.5, 14.0, 11.5, 11.0
"""Font sizes in px."""
LINE = 1.4
"""Height of a line as a multiple of the font size."""
PAD = 14.0
ICON = 30.0
NARROWEST, WIDEST = 150.0, 270.0
LABEL_WIDEST = 168.0
MOST_LINES = 4
LOOP = 30.0
"""The width of an edge from a box to itself."""
BESIDE = 40.0
"""Between the steps and the boxes beside them."""
APART = 16.0
"""Between two boxes beside the steps."""


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
    """Stack cards, all with the same width."""
    y = 0.0
    width = max((card.width for card in asides), default=0.0)
    for card in asides:
        card.width = width
        yield card.node.id, (side + width / 2, y + card.height / 2)
        y += card.height + APART


def _reach(layout: Layout, edges: Sequence[Edge], cards: dict[str, Card], low: float) -> float:
    """Return the right edge of everything above ``low``."""
    edges_at = [-BESIDE]
    for name, (x, y) in layout.centres.items():
        if y - cards[name].height / 2 < low:
            edges_at.append(x + cards[name].width / 2)
    for edge, route in zip(edges, layout.routes, strict=True):
        label = Label(edge.label)
        if edge.source == edge.target:
            x, y = layout.centres[edge.source]
            edges_at += [x + cards[edge.source].width / 2 + LOOP + label.width] * (y - 60 < low)
        elif route.label and route.label[1] - label.height / 2 < low:
            edges_at.append(route.label[0] + label.width / 2)
        for (x, y), (to_x, to_y) in pairwise(route.points):
            edges_at += [max(x, to_x)] * (min(y, to_y) < low)
    return max(edges_at)


def _joined(edges: Sequence[Edge]) -> list[Edge]:
    """Join the edges from a box to itself into one."""
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
    """Connect points: straight lines within a row, curves from one column to another."""
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


class Head:
    """The name of the flow and its description."""

    def __init__(self, graph: Graph) -> None:
        self.title = graph.title
        self.lines = [*wrap(graph.about, DETAIL + 1, 480, 3), *wrap(graph.facts, DETAIL, 480, 2)]
        widest = [measure(line, DETAIL + 1) for line in self.lines]
        self.width = max([measure(graph.title, 19) * 1.12, *widest])
        self.height = 30 + 18 * len(self.lines) + 16

    def draw(self) -> list[str]:
        parts = [text_element(MARGIN, MARGIN + 17, self.title, "head")]
        for number, line in enumerate(self.lines):
            parts.append(text_element(MARGIN, MARGIN + 40 + 18 * number, line, "about"))
        return parts


class Card:
    """One box: a caption for the kind of step, its name, and its details."""

    def __init__(self, node: Node) -> None:
        self.node = node
        room = WIDEST - 2 * PAD
        self.title = wrap(node.title, TITLE * 1.12, room - ICON, 2)
        self.details = [line for d in node.details for line in wrap(d, DETAIL, room, MOST_LINES)]
        widths = [measure(node.caption.upper(), CAPTION * 1.22) + ICON]
        widths += [measure(line, TITLE * 1.12) + ICON for line in self.title]
        widths += [measure(line, DETAIL) for line in self.details]
        self.width = max(NARROWEST, *(w + 2 * PAD for w in widths))
        self.height = (
            2 * PAD
            - 3
            + LINE * (CAPTION + TITLE * len(self.title) + DETAIL * len(self.details))
            + (5 if self.details else 0)
        )

    def draw(self, centre: Point) -> str:
        """Draw the card around a centre."""
        x, y = centre[0] - self.width / 2, centre[1] - self.height / 2
        node = self.node
        round_ = 22 if node.kind in ("end", "enter") else 10
        parts = [
            f'<g class="card {node.kind}">',
            f"<title>{safe(' · '.join([node.caption, node.title, *node.details]))}</title>",
            (
                f'<rect class="box" x="{number_text(x)}" y="{number_text(y)}" width="{number_text(self.width)}" '
                f'height="{number_text(self.height)}" rx="{round_}"/>'
            ),
            (
                f'<g class="icon" transform="translate({number_text(x + PAD + 8)} {number_text(y + PAD + 13)})">'
                f'<circle class="disc" r="12"/>{ICONS[node.kind]}</g>'
            ),
        ]
        y += PAD + CAPTION
        parts.append(text_element(x + PAD + ICON, y, node.caption.upper(), "caption"))
        for line in self.title:
            y += TITLE * LINE
            parts.append(text_element(x + PAD + ICON, y, line, "title"))
        y += 5
        for line in self.details:
            y += DETAIL * LINE
            parts.append(text_element(x + PAD, y, line, "detail"))
        return "\n".join([*parts, "</g>"])


class Label:
    """The text on an edge, in lines."""

    def __init__(self, text: str) -> None:
        self.lines = wrap(text, LABEL, LABEL_WIDEST, MOST_LINES)
        self.width = max([measure(line, LABEL) for line in self.lines], default=0.0) + 12
        self.height = LABEL * LINE * len(self.lines) + 5
        self.size: Size | None = (self.width, self.height) if self.lines else None

    def draw(self, centre: Point) -> str:
        """Draw the label around a centre, on a background of its own."""
        x, y = centre[0] - self.width / 2, centre[1] - self.height / 2
        parts = [
            (
                f'<rect class="ground" x="{number_text(x)}" y="{number_text(y)}" width="{number_text(self.width)}" '
                f'height="{number_text(self.height)}" rx="6"/>'
            )
        ]
        for number, line in enumerate(self.lines):
            down = y + 2 + LABEL * LINE * (number + 0.75)
            parts.append(text_element(centre[0], down, line, "label"))
        return "\n".join(parts)


def text_element(x: float, y: float, text: str, kind: str) -> str:
    """Return one line of text at a place."""
    return f'<text class="{kind}" x="{number_text(x)}" y="{number_text(y)}">{safe(text)}</text>'


def safe(text: str) -> str:
    """Escape a text, and remove characters that XML does not allow."""
    kept = "".join(c for c in text if c in "\t\n" or (ord(c) >= 32 and c not in "\ufffe\uffff"))
    return escape(kept.encode("utf-8", "replace").decode("utf-8"))


def number_text(value: float) -> str:
    """Write a length with at most one decimal; adding 0.0 turns -0.0 into 0."""
    return f"{round(value, 1) + 0.0:.7g}"


ICONS: dict[Kind, str] = {
    "enter": '<path d="M-3-5 5 0-3 5Z"/>',
    "wait": '<circle r="6"/><path d="M0-3.4V0L2.4 1.6"/>',
    "decide": '<path d="M0-6 6 0 0 6-6 0Z"/>',
    "send": '<path d="M-6-4.4H6V4.4H-6ZM-6-4 0 .8 6-4"/>',
    "effect": '<path d="M1.5-6.5-4 1H0L-1.5 6.5 4-1H0Z"/>',
    "end": '<path d="M-4 6.5V-5.5H5L2.8-2.6 5 .4H-4"/>',
    "exit": '<path d="M1-5.5H-5V5.5H1M-2 0H6M3.2-2.8 6 0 3.2 2.8"/>',
    "goal": '<circle r="6"/><circle r="2.2"/>',
}
"""The icon of each kind, drawn around its centre."""

ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
    'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
    '<path class="tip" d="M0 0.5 7.5 4 0 7.5Z"/></marker></defs>'
)

_SANS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"

_SHARED = f"""\
text{{font-family:{_SANS}}}
.head{{font-size:19px;font-weight:700}}
.about{{font-size:12.5px}}
.caption{{font-size:10.5px;font-weight:600;letter-spacing:.06em}}
.title{{font-size:14px;font-weight:600}}
.detail{{font-size:11.5px}}
.label{{font-size:11px;text-anchor:middle}}
.box{{stroke-width:1.25}}
.icon path,.icon circle{{fill:none;stroke-width:1.4;stroke-linejoin:round;stroke-linecap:round}}
.edge{{fill:none;stroke-width:1.5}}
.back{{stroke-dasharray:5 4}}"""

_GROUNDS = {
    "light": ("#f8fafc", "#ffffff", "#0f172a", "#475569", "#94a3b8"),
    "dark": ("#0d1117", "#161b22", "#f1f5f9", "#a3b1c2", "#64748b"),
}
"""Page, card, strong text, muted text, lines."""


def style() -> str:
    """Return the style sheet with both themes."""
    return (
        f"<style>\n{_SHARED}\n{_theme('light', 0)}\n"
        f"@media (prefers-color-scheme:dark){{\n{_theme('dark', 1)}\n}}\n</style>"
    )


def _theme(name: str, which: int) -> str:
    page, card, strong, quiet, line = _GROUNDS[name]
    rules = [
        f".page,.ground{{fill:{page}}}",
        f".head,.title{{fill:{strong}}}",
        f".about,.detail,.label{{fill:{quiet}}}",
        f".box{{fill:{card}}}",
        f".edge{{stroke:{line}}}",
        f".tip{{fill:{line}}}",
    ]
    for kind, pair in COLOURS.items():
        colour = pair[which]
        rules += [
            f".{kind} .box{{stroke:{colour}}}",
            f".{kind} .caption{{fill:{colour}}}",
            f".{kind} .icon path,.{kind} .icon circle{{stroke:{colour}}}",
            f".{kind} .icon .disc{{fill:{colour};fill-opacity:.13;stroke:none}}",
        ]
    return "\n".join(rules)


_WIDTHS = {
    **dict.fromkeys("iljI.,:;'|![]` ", 0.34),
    **dict.fromkeys('ftr()-/\\"*{}', 0.45),
    **dict.fromkeys("mwMW@%…", 1.0),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&=<>+~#_", 0.78),
}
"""Widths of letters in em, for a wide font: text that fits here fits in other fonts too."""


def measure(text: str, size: float) -> float:
    """Estimate the width of a text in px."""
    return size * sum(map(_width, text))


def wrap(text: str, size: float, room: float, most: int) -> list[str]:
    """Break a text into at most ``most`` lines; an ellipsis replaces the rest."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        for number, piece in enumerate(_pieces(word, size, room)):
            longer = f"{line} {piece}" if line else piece
            if line and (number or measure(longer, size) > room):
                lines.append(line)
                line = piece
            else:
                line = longer
    lines += [line] if line else []
    if len(lines) > most:
        lines = [*lines[: most - 1], _shorten(lines[most - 1], size, room)]
    return lines


def _shorten(line: str, size: float, room: float) -> str:
    while line and measure(f"{line} …", size) > room:
        line = line[:-1].rstrip()
    return f"{line} …"


def _pieces(word: str, size: float, room: float) -> list[str]:
    """Split a word that is wider than the line."""
    pieces, start, used = [], 0, 0.0
    for at, letter in enumerate(word):
        # The same sum as in ``measure``, so that both give exactly the same width.
        if size * (used + _width(letter)) > room and at > start:
            pieces.append(word[start:at])
            start, used = at, 0.0
        used += _width(letter)
    return [*pieces, word[start:]]


def _width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    return _WIDTHS.get(letter, 0.66)
