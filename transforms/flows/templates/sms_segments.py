"""The number of parts of a text message, and the cost of a message (R25, I25, I26).

Characters of the GSM 7-bit alphabet (3GPP TS 23.038) count one or, escaped, two; any other
character makes the whole text UCS-2. A part never ends within a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from transforms.flows.definitions.space import Channel

PRICE_UNIT = 10_000
"""Prices and costs have four decimals."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = frozenset("\f^{}\\[~]|€")
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]}']")

ELSE = ""
"""The prefix for addresses that match no other prefix."""


def sms_parts(text: str) -> int:
    """Count the parts of a text message: one of 160 or 70 characters, else of 153 or 67 each."""
    if all(c in _BASIC or c in _ESCAPED for c in text):
        return _parts((2 if c in _ESCAPED else 1 for c in text), 160, 153)
    return _parts((2 if ord(c) > 0xFFFF else 1 for c in text), 70, 67)


def _parts(widths: Iterable[int], whole: int, each: int) -> int:
    parts, used, total = 1, 0, 0
    for width in widths:
        total += width
        if used + width > each:
            parts, used = parts + 1, 0
        used += width
    return 1 if total <= whole else parts


def with_short_links(text: str, length: int) -> str:
    """Replace every link by one with the length of a short link (I31)."""
    return _LINK.sub("h" * length, text)


def cost_of(channel: Channel, address: str, parts: int) -> float | None:
    """Return the cost of a number of parts: the price is that of the longest matching prefix.

    None if there is no price.
    """
    fitting = [(len(start), price) for start, price in channel.price if address.startswith(start)]
    if not fitting:
        return None
    return round(max(fitting)[1] * PRICE_UNIT) * parts / PRICE_UNIT
