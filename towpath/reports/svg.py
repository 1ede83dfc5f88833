"""SVG shapes for the charts, with colours for light and dark themes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

import msgspec

MARGIN = 24
LETTER = 7.0
PALETTE = (
    ("#2f6fb0", "#6aa9e6"),
    ("#c8741a", "#eaa352"),
    ("#2e8b57", "#66c28e"),
    ("#8a55b5", "#bb90e0"),
    ("#b2425a", "#e37f93"),
    ("#5f6b76", "#a5b0bb"),
)
"""A colour per flow, for light and dark themes; they repeat after the last one."""

FONT = "font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, sans-serif"
LIGHT = {
    ".page": "fill: #ffffff",
    ".ink": "fill: #1f2933",
    ".soft": "fill: #5b6773",
    ".line": "stroke: #d7dde3",
    ".axis": "stroke: #8a96a3",
    ".whole": "fill: #c9dcef",
    ".part": "fill: #2f6fb0",
    ".goal": "fill: #2e8b57",
}
DARK = {
    ".page": "fill: #0f151b",
    ".ink": "fill: #e6ebf0",
    ".soft": "fill: #a3afbb",
    ".line": "stroke: #2a343e",
    ".axis": "stroke: #6c7884",
    ".whole": "fill: #27415c",
    ".part": "fill: #6aa9e6",
    ".goal": "fill: #66c28e",
}
WIDE = 0.6


def style() -> str:
    """Return the style sheet of a picture."""
    light = LIGHT | {f".hue{i}": f"fill: {light}" for i, (light, _) in enumerate(PALETTE)}
    dark = DARK | {f".hue{i}": f"fill: {dark}" for i, (_, dark) in enumerate(PALETTE)}
    return (
        f"<style>text {{ {FONT}; font-size: 13px }} .title {{ font-size: 17px; font-weight: 600 }} "
        f".name {{ font-weight: 600; font-size: 14px }} .small {{ font-size: 12px }} "
        f"{_rules(light)} @media (prefers-color-scheme: dark) {{ {_rules(dark)} }}</style>"
    )


def _rules(sheet: dict[str, str]) -> str:
    return " ".join(f"{name} {{ {rule} }}" for name, rule in sheet.items())


def picture(width: int, height: float, title: str, about: str, shapes: list[str]) -> str:
    """Return the SVG document; ``title`` and ``about`` are for screen readers."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{num(height)}" '
        f'viewBox="0 0 {width} {num(height)}" role="img" aria-labelledby="title about">'
    )
    names = f'<title id="title">{escape(title)}</title><desc id="about">{escape(about)}</desc>'
    page = f'<rect class="page" width="{width}" height="{num(height)}" rx="8"/>'
    return "\n".join([head, names, style(), page, *shapes, "</svg>"]) + "\n"


def text(x: float, y: float, words: str, look: str = "ink", anchor: str = "start") -> str:
    """Draw text; ``x`` and ``y`` are on its base line."""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{look}" x="{num(x)}" y="{num(y)}"{where}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, look: str, tip: str = "") -> str:
    """Draw a filled box; ``tip`` is shown on hover."""
    place = f'x="{num(x)}" y="{num(y)}" width="{num(width)}" height="{num(height)}"'
    if not tip:
        return f'<rect class="{look}" {place}/>'
    return f'<rect class="{look}" {place}><title>{escape(tip)}</title></rect>'


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> str:
    """Draw a straight line."""
    return f'<line class="{look}" x1="{num(x1)}" y1="{num(y1)}" x2="{num(x2)}" y2="{num(y2)}"/>'


def num(value: float) -> str:
    """Format a number with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def shortened(words: str, width: float, size: int = 13) -> str:
    """Shorten text that is wider than ``width``."""
    most = int(width / (size * WIDE))
    return words if len(words) <= most else words[: max(1, most - 1)] + "…"


class Scale(msgspec.Struct, frozen=True, gc=False):
    """A linear axis: maps values from ``low`` to ``high`` onto pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        return self.start + self.length(value - self.low)

    def length(self, value: float) -> float:
        """Return the length of a difference in pixels."""
        return value / (self.high - self.low) * (self.end - self.start)


def legend(entries: Iterable[tuple[str, str]], y: float, right: float) -> Iterator[str]:
    """Draw a legend in one line: a box and a name for each look, as far as they fit."""
    x = float(MARGIN)
    for look, words in entries:
        name = shortened(words, 260)
        width = len(name) * LETTER
        if x + 18 + width > right:
            yield text(x, y, "and more", "soft small")
            return
        yield box(x, y - 10, 12, 12, look)
        yield text(x + 18, y, name, "soft small")
        x += 42 + width


def heading(title: str) -> str:
    """Draw the title of a chart."""
    return text(MARGIN, 36, title, "ink title")


def empty(width: int, title: str, note: str) -> str:
    """Return a chart that has nothing to show."""
    return picture(width, 96, title, note, [heading(title), text(MARGIN, 70, note, "soft")])
