"""Windows: opening times, across midnight and across changes of the clock."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.flows.clock.delays import TimeSyntaxError
from transforms.flows.clock.windows import closing, is_open, opening, parse_window
from transforms.flows.clock.zones import DAY, find_zone, iso, parse_instant, utc

BERLIN = find_zone("Europe/Berlin")
ZONES = [
    utc(),
    BERLIN,
    find_zone("America/New_York"),
    find_zone("Africa/Cairo"),
    find_zone("America/Sao_Paulo"),
]

windows = st.sampled_from([
    "09:00-18:00", "mon-fri 09:00-18:00", "sat-sun", "fri 22:00-02:00", "22:00-08:00",
    "mon 00:00-24:00, wed 10:00-12:00", "fri-mon 23:30-00:15", "02:00-03:00", "sun 02:00-02:30",
    "mon,wed,fri 14:00-16:00", "sat from 20:00", "until 03:00", "sun until 02:30 Europe/Rome",
])  # fmt: skip
instants = st.integers(parse_instant("2017-01-01", utc()), parse_instant("2027-01-01", utc()))


def at(text):
    return parse_instant(text, BERLIN)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("9:00-18:00", "09:00-18:00"),
        ("mon-fri  9:00 - 18:00", "mon-fri 09:00-18:00"),
        ("sat-sun", "sat-sun"),
        ("mon-fri 09:00-18:00,sat 10:00-14:00", "mon-fri 09:00-18:00, sat 10:00-14:00"),
        ("18:00-24:00", "18:00-24:00"),
        ("mon, wed,fri 14:00-16:00", "mon,wed,fri 14:00-16:00"),
        ("mon-fri 9:00-18:00, sat, sun", "mon-fri 09:00-18:00, sat,sun"),
        ("mon,tue 9:00-18:00,sat,sun 10:00-12:00", "mon,tue 09:00-18:00, sat,sun 10:00-12:00"),
        ("mon, 09:00-10:00", "mon, 09:00-10:00"),
        ("from  8:00", "from 08:00"),
        ("mon-fri until 20:00", "mon-fri until 20:00"),
        ("from 08:00 until 20:00", "08:00-20:00"),
        ("09:00-18:00  in Europe/Rome", "09:00-18:00 Europe/Rome"),
    ],
)
def test_canonical_text(text, canonical):
    """A window has one canonical text, which parses as the same window."""
    window = parse_window(text)

    assert window.text == canonical
    assert parse_window(canonical) == window


@pytest.mark.parametrize(
    ("text", "t", "opens", "closes"),
    [
        # 2026-06-05 is a Friday
        ("09:00-18:00", "2026-06-05T09:00", "2026-06-05T09:00", "2026-06-05T18:00"),
        ("09:00-18:00", "2026-06-05T17:59:59.999", "2026-06-05T17:59:59.999", "2026-06-05T18:00"),
        ("09:00-18:00", "2026-06-05T18:00", "2026-06-06T09:00", "2026-06-06T18:00"),
        ("mon-fri 09:00-18:00", "2026-06-05T18:00", "2026-06-08T09:00", "2026-06-08T18:00"),
        ("sat-sun", "2026-06-05T18:00", "2026-06-06T00:00", "2026-06-08T00:00"),
        ("mon,wed 14:00-16:00", "2026-06-05T18:00", "2026-06-08T14:00", "2026-06-08T16:00"),
        ("mon,wed 14:00-16:00", "2026-06-08T16:00", "2026-06-10T14:00", "2026-06-10T16:00"),
        ("from 20:00", "2026-06-05T18:00", "2026-06-05T20:00", "2026-06-06T00:00"),
        ("sat until 10:00", "2026-06-05T18:00", "2026-06-06T00:00", "2026-06-06T10:00"),
        (
            "09:00-18:00 America/New_York",
            "2026-06-05T09:00",
            "2026-06-05T15:00",
            "2026-06-06T00:00",
        ),
        ("fri 22:00-02:00", "2026-06-06T01:59", "2026-06-06T01:59", "2026-06-06T02:00"),
        ("fri 22:00-02:00", "2026-06-05T01:00", "2026-06-05T22:00", "2026-06-06T02:00"),
        ("22:00-08:00", "2026-06-05T23:30", "2026-06-05T23:30", "2026-06-06T08:00"),
        ("09:00-12:00, 11:00-14:00", "2026-06-05T10:00", "2026-06-05T10:00", "2026-06-05T14:00"),
        # the clock goes forward at 02:00, so that this window has no time on that day
        ("02:00-03:00", "2026-03-29T00:00", "2026-03-30T02:00", "2026-03-30T03:00"),
        ("01:30-02:30", "2026-03-29T00:00", "2026-03-29T01:30", "2026-03-29T03:00"),
        # the clock goes back at 03:00: the first 02:30 ends the window
        ("01:00-02:30", "2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:30"),
        ("sun 02:00-03:00", "2026-03-23T00:00", "2026-04-05T02:00", "2026-04-05T03:00"),
    ],
)
def test_openings(text, t, opens, closes):
    """A window is half open, belongs to the day it starts on, and follows the local time (R2)."""
    window = parse_window(text)
    start = opening(window, at(t), BERLIN)

    assert iso(start) == iso(at(opens))
    assert iso(closing(window, start, BERLIN)) == iso(at(closes))
    assert is_open(window, at(t), BERLIN) is (opens == t)


@pytest.mark.parametrize("text", ["mon-sun", "00:00-24:00", "00:00-12:00, 12:00-00:00"])
def test_a_window_that_is_always_open_never_closes(text):
    """A window that is always open has no closing time."""
    window = parse_window(text)

    assert closing(window, at("2026-06-05T12:00"), BERLIN) is None
    assert opening(window, at("2026-06-05T12:00"), BERLIN) == at("2026-06-05T12:00")


def test_a_closed_window_closes_at_once():
    """For a closed window the closing time is now."""
    assert closing(parse_window("09:00-10:00"), at("2026-06-05T12:00"), BERLIN) == at(
        "2026-06-05T12:00"
    )


@given(windows, instants, st.sampled_from(ZONES))
@settings(max_examples=200, deadline=None)
def test_opening_is_the_first_open_instant(text, t, where):
    """The window is open at its opening, closed before it, and closing is the first end after it."""
    window = parse_window(text)
    start = opening(window, t, where)
    end = closing(window, start, where)

    assert t <= start <= t + 15 * DAY
    assert is_open(window, start, where)
    assert start == t or not is_open(window, start - 1, where)
    step = max((start - t) // 40, 1)
    assert not any(is_open(window, early, where) for early in range(t, start, step))
    assert is_open(window, end - 1, where)
    assert not is_open(window, end, where)
    step = max((end - start) // 40, 1)
    assert all(is_open(window, during, where) for during in range(start, end, step))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("09:00-09:00", '"09:00-09:00" is empty; a whole day is 00:00-24:00'),
        ("24:00-09:00", '"24:00" can only end a window'),
        ("09:00", '"09:00" is not a window; write for example 09:00-18:00'),
        ("mun 09:00-18:00", '"mun" is not a weekday'),
        ("09:00-25:00", '"25:00" is not a time of day'),
        ("09:00-18:00,", '"" is not a window'),
        ("09:00-18:00 Europe/Room", '"Europe/Room" is not a time zone; write for example'),
        ("sat 09:00-18:00 UTC, sun", "one time zone; write it at the end"),
        ("from 24:00", '"24:00" can only end a window'),
        ("until 00:00", '"until 00:00" is empty'),
        ("mon from", '"mon from" is not a window'),
        ("", '"" is not a window'),
        (",".join(["mon"] * 51), "at most 50 parts"),
    ],
)
def test_invalid_windows_are_refused(text, message):
    """An empty or invalid window is an error that says what to write."""
    with pytest.raises(TimeSyntaxError) as caught:
        parse_window(text)

    assert message in str(caught.value)
