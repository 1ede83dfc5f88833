"""The parts of the picture that hold text: the head, the cards, the labels of edges."""

from __future__ import annotations

from html import escape

from transforms.authoring.graph import Graph, Node
from transforms.authoring.graph_layout import Point, Size
from transforms.authoring.graph_style import ICONS
from transforms.authoring.graph_text_width import measure, wrap

MARGIN = 28.0
CAPTION, TITLE, DETAIL, LABEL = 10.5, 14.0, 11.5, 11.0
"""Sizes of type in px."""
LINE = 1.4
"""Height of a line as a multiple of its size."""
PAD = 14.0
ICON = 30.0
NARROWEST, WIDEST = 150.0, 270.0
LABEL_WIDEST = 168.0
MOST_LINES = 4


class Head:
    """The name of the flow and what it is for."""

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
    """One box: a caption that says what it does, its name, and its details."""

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
        """Draw the label around a centre, on a ground of its own."""
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
    """Place one line of text."""
    return f'<text class="{kind}" x="{number_text(x)}" y="{number_text(y)}">{safe(text)}</text>'


def safe(text: str) -> str:
    """Escape a text, and drop what XML does not allow."""
    kept = "".join(c for c in text if c in "\t\n" or (ord(c) >= 32 and c not in "\ufffe\uffff"))
    return escape(kept.encode("utf-8", "replace").decode("utf-8"))


def number_text(value: float) -> str:
    """Write a length with one decimal at most; adding 0.0 makes nothing of minus nothing."""
    return f"{round(value, 1) + 0.0:.7g}"
