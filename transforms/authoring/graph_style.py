"""Colours, signs and fonts of the picture: light by default, dark where the viewer is dark."""

from __future__ import annotations

from transforms.authoring.graph import Kind

COLOURS: dict[Kind, tuple[str, str]] = {
    "enter": ("#15803d", "#4ade80"),
    "wait": ("#b45309", "#fbbf24"),
    "decide": ("#6d28d9", "#c4b5fd"),
    "send": ("#1d4ed8", "#93c5fd"),
    "effect": ("#0f766e", "#5eead4"),
    "end": ("#475569", "#cbd5e1"),
    "exit": ("#b91c1c", "#fca5a5"),
    "goal": ("#a16207", "#fde047"),
}
"""Each kind's colour on light and on dark."""

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
"""One sign for each kind, drawn around its centre."""

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
"""Page, card, strong text, quiet text, lines."""


def style() -> str:
    """Give the style sheet with both themes."""
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
