"""The history of an aggregate: exact, small, and independent of the order of events."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.flows.state.series import (
    KEPT,
    Series,
    add,
    average,
    counted,
    join,
    maximum,
    minimum,
    newest,
    oldest,
    prune,
    total,
)

HOUR, DAY = 3_600_000, 86_400_000
START = 1_780_000_000_000 // DAY * DAY


def series_of(events, horizon=30 * DAY):
    series = Series()
    for t, value in events:
        add(series, t, value, horizon)
    return series


def test_sums_and_windows():
    """Windows count what is later than their start; sums over all time need no entries (R2)."""
    events = [(START + HOUR, 19.99), (START + 2 * HOUR, 0.01), (START + 3 * HOUR, -5.0)]
    series = series_of(events)

    assert (counted(series), total(series)) == (3, 15.0)
    assert (minimum(series), maximum(series), average(series)) == (-5.0, 19.99, 5.0)
    since = START + HOUR
    assert (counted(series, since), total(series, since)) == (2, -4.99)
    assert (minimum(series, since), maximum(series, since)) == (-5.0, 0.01)
    assert average(series, since) == -2.495
    assert (oldest(series, since), newest(series, since)) == (START + 2 * HOUR, START + 3 * HOUR)
    assert series_of(events, 0).entries == []


def test_an_empty_series_has_no_extremes():
    """An empty series or window has no minimum, maximum, average, oldest or newest."""
    for series in (Series(), series_of([(START, 1)])):
        assert (counted(series, START), total(series, START)) == (0, 0)
        assert average(series, START) is minimum(series, START) is maximum(series, START) is None
        assert oldest(series, START) is newest(series, START) is None


def test_an_entry_counts_for_its_window():
    """An entry at e counts during [e, e + w), so it is dropped at e + w (R2)."""
    series = series_of([(START, 1), (START + HOUR, 1)])

    assert counted(series, START + DAY - 1 - DAY) == 2
    assert counted(series, START + DAY - DAY) == 1


@given(st.data(), st.booleans(), st.sampled_from([0, 3 * DAY, 40 * DAY]))
@settings(max_examples=60, deadline=None)
def test_order_does_not_matter(data, with_values, horizon):
    """The same events give the same bytes and sums, in whatever order they arrive."""
    value = st.integers(-(10**7), 10**7).map(lambda n: n / 100) if with_values else st.none()
    events = data.draw(
        st.lists(st.tuples(st.integers(START, START + 50 * DAY), value), max_size=30)
    )
    shuffled = data.draw(st.permutations(events))

    one, other = series_of(events, horizon), series_of(shuffled, horizon)
    assert msgspec.msgpack.encode(one) == msgspec.msgpack.encode(other)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("horizon", [30 * DAY, 50 * DAY, 200 * DAY])
def test_order_does_not_matter_beyond_500_entries(seed, horizon):
    """The order does not matter either if entries are merged into days or drop out of the horizon."""
    random = Random(seed)
    events = [(START + random.randrange(60 * 24) * HOUR, random.randrange(9)) for _ in range(900)]
    ordered = series_of(sorted(events), horizon)
    random.shuffle(events)
    shuffled = series_of(events, horizon)

    assert msgspec.msgpack.encode(ordered) == msgspec.msgpack.encode(shuffled)
    assert (len(shuffled.entries) == KEPT) is (horizon > 30 * DAY)
    assert bool(shuffled.days) is (horizon > 30 * DAY)


def test_older_entries_are_merged_into_days():
    """The newest 500 entries are exact, older ones count from the start of their UTC day."""
    events = [(START + n * HOUR, 1.5) for n in range(KEPT + 30)]
    series = series_of(events, 100 * DAY)

    assert len(series.entries) == KEPT
    assert series.days == [[START, 24, 360_000, 15_000, 15_000],
                           [START + DAY, 6, 90_000, 15_000, 15_000]]  # fmt: skip
    assert counted(series, START - 1) == KEPT + 30
    assert total(series, START - 1) == 1.5 * (KEPT + 30)
    assert counted(series, START + 10 * HOUR) == KEPT + 6
    assert counted(series, START + 40 * HOUR) == KEPT + 30 - 41
    assert (minimum(series, START - 1), average(series, START - 1)) == (1.5, 1.5)
    assert oldest(series, START - 1) == START
    assert counted(series_of([(t, None) for t, _ in events], 100 * DAY), START - 1) == KEPT + 30


def test_prune_drops_entries_outside_all_windows():
    """Entries outside all windows can be dropped; sums over all time stay."""
    series = series_of([(START, 1), (START + HOUR, 1)])
    prune(series, START + 30 * DAY, 30 * DAY)

    assert series.entries == [[START + HOUR, 10_000]]
    assert counted(series) == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**12 + 1, 1e300])
def test_invalid_amounts_are_ignored(value):
    """A value that is not finite or is larger than 10**12 is not counted."""
    series = series_of([(START, 1)])

    assert not add(series, START, value, DAY)
    assert series == series_of([(START, 1)])


def test_totals_stay_within_64_bits():
    """A total beyond 64 bits is clamped and does not stop the user's state."""
    series = Series()
    for n in range(1000):
        add(series, START + n, 10**12, DAY)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(series), type=Series) == series


def test_a_typical_series_is_small():
    """A user with a counter, a sum and five purchases in a window takes far less than 450 bytes."""
    purchases = [(START + n * DAY, 19.99 + n) for n in range(5)]
    everything = [series_of([(t, None) for t, _ in purchases], 0), series_of(purchases)]

    assert len(msgspec.msgpack.encode(everything)) < 200


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 40 * DAY), st.integers(-50, 50)), max_size=30),
    st.lists(st.tuples(st.integers(0, 40 * DAY), st.integers(-50, 50)), max_size=30),
    st.booleans(),
)
def test_a_merged_series_has_the_events_of_both(mine, other, valued):
    """Two series merged are the series of all their events together (R8)."""
    one, two = (
        [(START + t, float(value) if valued else None) for t, value in events]
        for events in (mine, other)
    )
    joined = series_of(one, 60 * DAY)
    join(joined, series_of(two, 60 * DAY))

    assert joined == series_of(one + two, 60 * DAY)


def test_a_merged_series_keeps_the_newest_500_entries():
    """Beyond 500 entries the older ones of both are merged into days, the newest stay exact (R8)."""
    one = [(START + n * 1_000_000, float(n)) for n in range(900)]
    two = [(START + n * 700_000, 1.0) for n in range(800)]
    joined = series_of(one, 400 * DAY)
    join(joined, series_of(two, 400 * DAY))

    assert joined == series_of(one + two, 400 * DAY)
    assert len(joined.entries) == KEPT
