"""How many parts a message has, and what it costs (R25, I25, I26)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.flows.definitions.space import Channel
from transforms.flows.templates.sms_segments import cost_of, sms_parts, with_short_links


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ł" * 70, 1),
        ("ł" * 71, 2),
        ("ł" * 134, 2),
        ("ł" * 135, 3),
        ("\U0001f600" * 35, 1),
        ("\U0001f600" * 36, 2),
        ("é" * 160, 1),
        ("ç" * 71, 2),
    ],
)
def test_parts(text: str, parts: int) -> None:
    """GSM-7: 160, or 153 each of several; escaped characters count two; Unicode: 70 and 67."""
    assert sms_parts(text) == parts


def test_an_escaped_character_is_never_split() -> None:
    """R25: an escaped character that does not fit into a part begins the next one."""
    assert sms_parts("a" * 152 + "€" + "a" * 152) == 3
    assert sms_parts("a" * 151 + "€" + "a" * 153) == 2
    assert sms_parts("ł" * 66 + "\U0001f600" + "ł" * 66) == 3


@given(st.text(max_size=700), st.text(max_size=20))
def test_a_longer_text_never_has_fewer_parts(text: str, more: str) -> None:
    """R25: a longer text never has fewer parts, and each part is at most full."""
    units = len(text.encode("utf-16-le")) // 2

    assert sms_parts(text + more) >= sms_parts(text) >= -(-units // 160)


def test_shortened_links_count_with_their_short_length() -> None:
    """I31: a shortened link counts with its short length; the text around it is unchanged."""
    text = "See https://shop.example/a?b=c&d=e. And (http://x.example/y), or <https://z.example/>."

    assert with_short_links(text, 3) == "See hhh. And (hhh), or <hhh>."
    assert with_short_links("no link", 3) == "no link"


def test_the_longest_prefix_decides_the_price() -> None:
    """I26: the longest prefix that fits an address gives the price, times the parts, exactly."""
    price = (("+49", 0.07), ("+4915", 0.0755), ("", 0.05))
    channel = Channel("sms", "phone", price=price)

    assert cost_of(channel, "+4930", 3) == 0.21
    assert cost_of(channel, "+491511", 3) == 0.2265
    assert cost_of(channel, "+33", 1) == 0.05
    assert cost_of(Channel("sms", "phone", price=(("+1", 0.01),)), "+49", 1) is None
    assert cost_of(Channel("sms", "phone"), "+49", 1) is None
