"""Measures and breaks text without knowing the font: rather too wide than too narrow."""

from __future__ import annotations

import unicodedata

_WIDTHS = {
    **dict.fromkeys("iljI.,:;'|![]` ", 0.34),
    **dict.fromkeys('ftr()-/\\"*{}', 0.45),
    **dict.fromkeys("mwMW@%…", 1.0),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&=<>+~#_", 0.78),
}
"""Widths of letters in em, of a wide font: text that fits here fits in others too."""


def measure(text: str, size: float) -> float:
    """Estimate the width of a text in px."""
    return size * sum(map(_width, text))


def wrap(text: str, size: float, room: float, most: int) -> list[str]:
    """Break a text into lines that fit; what is over ``most`` lines ends with an ellipsis."""
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
    """Cut a word that is wider than the room."""
    pieces, start, used = [], 0, 0.0
    for place, letter in enumerate(word):
        # Summed as ``measure`` sums, so that what fits here fits there to the last bit.
        if size * (used + _width(letter)) > room and place > start:
            pieces.append(word[start:place])
            start, used = place, 0.0
        used += _width(letter)
    return [*pieces, word[start:]]


def _width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    return _WIDTHS.get(letter, 0.66)
