"""How many parts a text message has, and what a message costs: pure sums (R25, I25, I26).

Characters of the GSM 7-bit alphabet (3GPP TS 23.038) count one or, escaped, two; with any other
character the whole text is UCS-2. A part is never cut within a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from transforms.flows.definitions.space import Channel

PRICE_UNIT = 10_000
"""Prices and costs are exact to four decimals."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = frozenset("\f^{}\\[~]|€")
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]}']")

ELSE = ""
"""The prefix of all addresses that no other prefix fits."""


def sms_parts(text: str) -> int:
    """Count the parts of a text message: 160 or 70 characters, of several 153 or 67 each."""
    if all(c in _BASIC or c in _ESCAPED for c in text):
        return _parts((2 if c in _ESCAPED else 1 for c in text), 160, 153)
    return _parts((2 if ord(c) > 0xFFFF else 1 for c in text), 70, 67)


def _parts(widths: Iterable[int], whole: int, each: int) -> int:
    found, used, total = 1, 0, 0
    for width in widths:
        total += width
        if used + width > each:
            found, used = found + 1, 0
        used += width
    return 1 if total <= whole else found


def with_short_links(text: str, length: int) -> str:
    """Put in place of every link one that is as long as a shortened one (I31)."""
    return _LINK.sub("h" * length, text)


def cost_of(channel: Channel, address: str, parts: int) -> float | None:
    """Return the price of so many parts to an address: that of the longest prefix that fits it.

    None if no price is known.
    """
    fitting = [(len(start), price) for start, price in channel.price if address.startswith(start)]
    if not fitting:
        return None
    return round(max(fitting)[1] * PRICE_UNIT) * parts / PRICE_UNIT
