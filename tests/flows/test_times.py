"""Instants, zones, delays, periods and schedules, across every change of the clock."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.flows.clock.delays import (
    TimeSyntaxError,
    after,
    before,
    longest,
    longest_period,
    parse_clock,
    parse_delay,
    parse_period,
    period_start,
)
from transforms.flows.clock.schedules import next_occurrence, parse_when, resolve
from transforms.flows.clock.zones import (
    DAY,
    at_local,
    find_zone,
    instant_of,
    iso,
    local,
    local_day,
    local_midnight,
    next_midnight,
    parse_instant,
    utc,
    zone_names,
)

BERLIN, NEW_YORK, CAIRO = (
    find_zone("Europe/Berlin"),
    find_zone("America/New_York"),
    find_zone("Africa/Cairo"),
)
SAO_PAULO, SAMOA = find_zone("America/Sao_Paulo"), find_zone("Pacific/Apia")
ST_JOHNS, HAVANA = find_zone("America/St_Johns"), find_zone("America/Havana")
ZONES = [utc(), BERLIN, NEW_YORK, CAIRO, SAO_PAULO, SAMOA, ST_JOHNS, HAVANA]
HOUR = 3_600_000

zones = st.sampled_from(ZONES)
# 2005 to 2030: before and after several zones began or ended their clock changes.
instants = st.integers(parse_instant("2005-01-01", utc()), parse_instant("2030-01-01", utc()))


def at(text, where=BERLIN):
    t = parse_instant(text, where)
    assert t is not None, text
    return t


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("2026-01-02", "UTC", "2026-01-02T00:00:00Z"),
        ("2026-01-02", "Europe/Berlin", "2026-01-01T23:00:00Z"),
        ("2026-01-02T03:04", "UTC", "2026-01-02T03:04:00Z"),
        ("2026-01-02 03:04:05", "Europe/Berlin", "2026-01-02T02:04:05Z"),
        ("2026-01-02T03:04:05.1234Z", "Europe/Berlin", "2026-01-02T03:04:05.123Z"),
        ("2026-01-02T03:04:05+05:30", "Europe/Berlin", "2026-01-01T21:34:05Z"),
        ("2026-01-02T03:04:05-0800", "Europe/Berlin", "2026-01-02T11:04:05Z"),
        ("1969-12-31T23:59:59.999Z", "UTC", "1969-12-31T23:59:59.999Z"),
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:00:00Z"),  # in the gap: its end
        ("2026-03-29T03:00", "Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"),  # twice: the first
        ("2026-03-08T02:30", "America/New_York", "2026-03-08T07:00:00Z"),
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30:00Z"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),  # no midnight that day
        ("2026-04-24", "Africa/Cairo", "2026-04-23T22:00:00Z"),  # nor that day
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"),  # a day that does not exist
        ("2028-02-29", "UTC", "2028-02-29T00:00:00Z"),
    ],
)
def test_local_times_become_instants(text, where, expected):
    """A skipped local time is the end of the gap, an ambiguous one the first instant (R16)."""
    assert iso(at(text, find_zone(where))) == expected


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2026-1-2", "2026-02-29", "2026-13-01", "2026-01-02T25:00", "20260102",
     "2026-01-02T03:04:05+99:00", "0001-01-01", "9999-12-31", "2026-01-02Z", "2026-01-02 " * 9,
     "٢٠٢٦-01-02"],
)  # fmt: skip
def test_other_texts_are_not_instants(text):
    """Anything but an ISO date or date-time of the years 1000 to 9000 is refused."""
    assert parse_instant(text, BERLIN) is None


@given(instants)
def test_iso_text_is_read_back(t):
    """What iso writes is read as the same instant."""
    assert parse_instant(iso(t), BERLIN) == t


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1970-01-02", DAY - HOUR), (DAY, None), (1_700_000_000, None), (1_700_000_000_000,) * 2,
        (10**18, None), (True, None), (1.7e12, None), (None, None), (["1970-01-02"], None),
    ],
)  # fmt: skip
def test_values_as_instants(value, expected):
    """A number is ms since 1970 if it is too large to be anything else."""
    assert instant_of(value, BERLIN) == expected


@pytest.mark.parametrize(
    ("name", "fallback", "expected"),
    [
        ("Europe/Berlin", "Asia/Tokyo", "Europe/Berlin"), ("Mars/Base", "Asia/Tokyo", "Asia/Tokyo"),
        (None, None, "UTC"), ("../etc/passwd", None, "UTC"), ("europe/berlin", "x", "UTC"),
        ("", "", "UTC"), (5, None, "UTC"),
    ],
)  # fmt: skip
def test_zones(name, fallback, expected):
    """The user's zone, else the flow's, else UTC; an invalid zone counts as missing (R16)."""
    assert find_zone(name, fallback).key == expected
    assert find_zone(name, fallback) is find_zone(expected)


def test_zones_come_from_tzdata(monkeypatch):
    """Zones come from the tzdata package, and none is read from the operating system."""
    monkeypatch.setattr("zoneinfo.TZPATH", ())
    found = [find_zone(name) for name in sorted(zone_names())]

    assert len(found) > 500
    assert {where.key for where in found} == zone_names()


@given(instants, zones)
@settings(max_examples=300)
def test_every_instant_is_in_one_local_day(t, where):
    """Each instant is in exactly one local day, from its midnight to the next (R2)."""
    day = local_day(t, where)

    assert local_midnight(day, where) <= t < next_midnight(t, where)
    assert local_day(next_midnight(t, where) - 1, where) == day


def test_a_midnight_that_occurs_twice():
    """If the clock is set back across midnight, the day begins at the first midnight."""
    first = at("2006-10-29T00:00", ST_JOHNS)
    again = first + 2 * 60_000

    assert local(again, ST_JOHNS).date() == date(2006, 10, 28)
    assert local_day(again, ST_JOHNS) == date(2006, 10, 29)


@given(instants, zones)
def test_local_times_convert_back(t, where):
    """A local time converts to an instant not later than its source: the first of two."""
    back = at_local(local(t, where).replace(tzinfo=None), where)

    assert back <= t
    assert local(back, where).replace(tzinfo=None, fold=0) == local(t, where).replace(
        tzinfo=None, fold=0
    )


@pytest.mark.parametrize(
    ("text", "canonical", "start", "due"),
    [
        ("30m", "30m", "2026-01-31T12:00", "2026-01-31T12:30"),
        ("90 s", "90s", "2026-01-31T12:00", "2026-01-31T12:01:30"),
        ("2d", "2d", "2026-03-28T12:00", "2026-03-30T13:00"),
        ("1w", "1w", "2026-01-01T12:00", "2026-01-08T12:00"),
        ("2 days at 9:00", "2 days at 09:00", "2026-03-28T12:00", "2026-03-30T09:00"),
        ("1 day at 09:00", "1 day at 09:00", "2026-01-01T08:00", "2026-01-02T09:00"),
        ("3d at 02:30", "3 days at 02:30", "2026-03-26T12:00", "2026-03-29T03:00"),
        ("1w at 10:00", "7 days at 10:00", "2026-01-01T12:00", "2026-01-08T10:00"),
        ("1mo", "1mo", "2026-01-31T12:00", "2026-02-28T12:00"),
        ("1mo at 09:00", "1mo at 09:00", "2028-01-31T12:00", "2028-02-29T09:00"),
        ("13mo", "13mo", "2026-12-15T12:00", "2028-01-15T12:00"),
        ("1y", "1y", "2028-02-29T12:00", "2029-02-28T12:00"),
        ("3 hours", "3h", "2026-01-31T12:00", "2026-01-31T15:00"),
        ("2 days", "2d", "2026-03-28T12:00", "2026-03-30T13:00"),
        ("1 week", "1w", "2026-01-01T12:00", "2026-01-08T12:00"),
        ("1  month", "1mo", "2026-01-31T12:00", "2026-02-28T12:00"),
        ("1 week at 10:00", "7 days at 10:00", "2026-01-01T12:00", "2026-01-08T10:00"),
    ],
)
def test_delays(text, canonical, start, due):
    """Exact delays are exact; calendar delays keep the local time across clock changes."""
    delay = parse_delay(text)

    assert delay.text == canonical
    assert parse_delay(canonical) == delay
    assert iso(after(delay, at(start), BERLIN)) == iso(at(due))
    assert at(due) - at(start) <= longest(delay)


@given(
    instants,
    zones,
    st.sampled_from(["30m", "3d", "1mo", "2y", "5 days at 00:00", "1 day at 23:59"]),
)
def test_delays_are_positive_and_limited(t, where, text):
    """A delay ends after its start and within its maximum; counted back, it ends before."""
    delay = parse_delay(text)

    assert t < after(delay, t, where) <= t + longest(delay)
    assert t - longest(delay) <= before(delay, t, where) < t


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("1 hr", '"1 hr" is not a duration; write for example 30m, 12h or 2d', "1h"),
        ("3 Months", '"3 Months" is not a duration; write for example 30m, 12h or 2d', "3mo"),
        ("15mins", '"15mins" is not a duration; write for example 30m, 12h or 2d', "15m"),
        ("3h at 09:00", '"3h at 09:00" is not a duration; write for example 30m, 12h or 2d', None),
        ("", '"" is not a duration; write for example 30m, 12h or 2d', None),
        ("-3d", '"-3d" is not a duration; write for example 30m, 12h or 2d', None),
        ("1.5h", '"1.5h" is not a duration; write for example 30m, 12h or 2d', None),
        ("0d", '"0d" has no length; write at least 1s', None),
        ("2 days at 25:00", '"25:00" is not a time of day; write for example 09:00', None),
        ("2 days at 24:00", '"24:00" can only end a window; write 00:00', None),
        ("99999999y", '"99999999y" is longer than a hundred years', None),
    ],
)
def test_invalid_delays_are_refused(text, message, suggestion):
    """The message says what to write instead."""
    with pytest.raises(TimeSyntaxError) as caught:
        parse_delay(text)

    assert str(caught.value) == message
    assert caught.value.suggestion == suggestion


@pytest.mark.parametrize(("text", "minute"), [("09:00", 540), ("9:05", 545), ("24:00", 1440)])
def test_times_of_day(text, minute):
    """A time of day is minutes since midnight."""
    assert parse_clock(text) == minute


@pytest.mark.parametrize(
    ("text", "now", "counted_from"),
    [
        ("day", "2026-03-29T12:00", "2026-03-29T00:00"),
        ("week", "2026-04-05T23:59", "2026-03-30T00:00"),
        ("week", "2026-03-30T00:00", "2026-03-30T00:00"),
        ("month", "2026-03-31T12:00", "2026-03-01T00:00"),
    ],
)
def test_calendar_periods(text, now, counted_from):
    """Calendar periods begin at the user's midnight, weeks on Monday; an entry then counts (R2)."""
    period = parse_period(text)

    assert period_start(period, at(now), BERLIN) == at(counted_from) - 1
    assert at(now) - at(counted_from) < longest_period(period)


@given(instants, zones, st.sampled_from(["day", "week", "month", "24h", "7d"]))
def test_periods_have_a_maximum(t, where, text):
    """No entry counts for longer than the maximum of the period."""
    period = parse_period(text)

    assert t - longest_period(period) <= period_start(period, t, where) < t


def test_rolling_periods():
    """An entry at e counts for a rolling period during [e, e + w) (R2)."""
    period, now = parse_period("24h"), at("2026-01-02")

    assert (period.unit, period.ms) == (None, DAY)
    assert parse_period("24 hours") == period
    assert period_start(period, now, BERLIN) == now - DAY


@pytest.mark.parametrize("text", ["", "year", "days", "1mo", "0d", "3"])
def test_invalid_periods_are_refused(text):
    """A period is a calendar unit or an exact duration."""
    with pytest.raises(TimeSyntaxError, match="is not a period; write day, week or month"):
        parse_period(text)


@pytest.mark.parametrize(
    ("text", "canonical", "now", "due", "following"),
    [
        ("9:00", "09:00", "2026-06-01T08:00", "2026-06-01T09:00", "2026-06-02T09:00"),
        ("09:00", "09:00", "2026-06-01T09:00", "2026-06-01T09:00", "2026-06-02T09:00"),
        ("daily at 9:00", "daily at 09:00", "2026-06-01T09:01", "2026-06-02T09:00",
         "2026-06-03T09:00"),
        ("02:30", "02:30", "2026-03-29T00:00", "2026-03-29T03:00", "2026-03-30T02:30"),
        ("mon 09:00", "mon 09:00", "2026-06-01T09:01", "2026-06-08T09:00", "2026-06-15T09:00"),
        ("mon-fri 09:00", "mon-fri 09:00", "2026-06-05T10:00", "2026-06-08T09:00",
         "2026-06-09T09:00"),
        ("sat-mon 09:00", "sat-mon 09:00", "2026-06-02T00:00", "2026-06-06T09:00",
         "2026-06-07T09:00"),
        ("mon, wed 09:00", "mon,wed 09:00", "2026-06-02T00:00", "2026-06-03T09:00",
         "2026-06-08T09:00"),
        ("2026-12-24 9:00", "2026-12-24 09:00", "2026-06-01", "2026-12-24T09:00", None),
        ("2026-12-24", "2026-12-24", "2027-06-01", "2026-12-24T00:00", None),
    ],
)  # fmt: skip
def test_schedules(text, canonical, now, due, following):
    """A recurring time is due at its first occurrence from now on, a date once, even if past."""
    moment = parse_when(text)
    found = resolve(moment, at(now), BERLIN)

    assert moment.text == canonical
    assert parse_when(canonical) == moment
    assert iso(found) == iso(at(due))
    later = next_occurrence(moment, max(found, at(now)), BERLIN)
    assert (later and iso(later)) == (following and iso(at(following)))


@pytest.mark.parametrize(
    ("text", "value", "due"),
    [
        ("entry.slot", "2026-06-01T15:00", "2026-06-01T15:00"),
        ("entry.slot - 2h", "2026-06-01T15:00", "2026-06-01T13:00"),
        ("session.slot + 1d", "2026-06-01T15:00", "2026-06-02T15:00"),
        ("entry.slot - 1d", "2026-03-29T15:00", "2026-03-28T14:00"),  # exact: 24 hours
        ("entry.slot - 1d at 15:00", "2026-03-29T15:00", "2026-03-28T15:00"),
        ("user.trial_ends - 3d", "2026-03-30", "2026-03-27T00:00"),  # a date: whole days
        ("user.trial_ends - 3d at 09:00", "2026-03-30", "2026-03-27T09:00"),
        ("user.trial_ends + 1mo", "2026-01-31", "2026-02-28T00:00"),
        ("user.trial_ends at 9:00", "2026-01-31T23:00", "2026-01-31T09:00"),
        ('user["Trial Ends"] - 1d', "2026-01-31", "2026-01-30T00:00"),
        ("anniversary of user.born", "1990-06-02", "2026-06-02T00:00"),
        ("anniversary of user.born - 3d at 09:00", "1990-06-02", "2027-05-30T09:00"),
        ("anniversary of user.born + 2w", "1990-05-20", "2026-06-03T00:00"),
        ("anniversary of user.born", "1988-02-29", "2027-02-28T00:00"),
        ("anniversary of user.born", "2030-06-02", "2030-06-02T00:00"),
        ("anniversary of user.born", "1990-06-01T18:00", "2026-06-01T18:00"),
    ],
)
def test_dates_in_user_data(text, value, due):
    """A date in user data is moved by its offset; its anniversaries recur every year."""
    moment = parse_when(text)
    now = at("2026-06-01T12:00")

    assert iso(resolve(moment, now, BERLIN, value)) == iso(at(due))
    assert resolve(moment, now, BERLIN, None) is None
    assert resolve(moment, now, BERLIN, "soon") is None
    assert parse_when(moment.text) == moment


def test_anniversaries_by_argument():
    """A date trigger may use the anniversaries of any date."""
    moment, now = parse_when("user.born at 09:00"), at("2026-06-01")

    assert resolve(moment, now, BERLIN, "1990-06-01") == at("1990-06-01T09:00")
    assert resolve(moment, now, BERLIN, "1990-06-01", yearly=True) == at("2026-06-01T09:00")
    assert next_occurrence(moment, at("2026-06-01T09:00"), BERLIN, "1990-06-01", yearly=True) == at(
        "2027-06-01T09:00"
    )


@given(instants, zones, st.dates(date(1950, 1, 1), date(2020, 12, 31)),
       st.sampled_from(["", " - 3d", " + 40d at 09:00", " - 1mo"]))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_anniversaries_come_every_year(t, where, born, offset):
    """Of two consecutive occurrences, the later is about a year after the earlier."""
    moment = parse_when(f"anniversary of user.born{offset}")
    first = resolve(moment, t, where, born.isoformat())
    second = next_occurrence(moment, first, where, born.isoformat())

    assert first >= t
    assert 362 * DAY < second - first < 369 * DAY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noon", "is not a date or time; write for example 09:00"),
        ("25:00", '"25:00" is not a time of day'),
        ("24:00", "can only end a window"),
        ("mun 09:00", '"mun" is not a weekday'),
        ("2026-02-30", '"2026-02-30" is not a date'),
        ("usr.birthday - 3d", '"usr" has no dates; a date comes from user.'),
        ("user.birthday - 3 bananas", '"3 bananas" is not a duration'),
        ("user.slot - 2h at 09:00", '"2h at 09:00" is not a number of days'),
        ("user", "is not a date or time"),
        ("", "is not a date or time"),
    ],
)
def test_invalid_schedules_are_refused(text, message):
    """The message says what is wrong and what to write."""
    with pytest.raises(TimeSyntaxError) as caught:
        parse_when(text)

    assert message in str(caught.value)


def test_local_time_of_an_instant():
    """The local time of an instant is that of the zone at that instant."""
    wall = local(at("2026-07-01T12:00Z"), BERLIN)

    assert wall.replace(tzinfo=None) == datetime.fromisoformat("2026-07-01T14:00")
