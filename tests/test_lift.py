"""Lift against a holdout: published intervals, and properties of any interval."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towpath.reports.lift import Arm, detectable, lift, wilson

ARMS = st.integers(1, 5_000).flatmap(lambda n: st.builds(Arm, st.just(n), st.integers(0, n)))


# Newcombe, Statistics in Medicine 17 (1998), p. 873-890, table II, method 10.
@pytest.mark.parametrize(
    ("treated", "holdout", "low", "high"),
    [
        ((70, 56), (80, 48), 0.0524, 0.3339),
        ((10, 9), (10, 3), 0.1705, 0.8090),
        ((7, 6), (7, 2), 0.0582, 0.8062),
        ((56, 5), (29, 0), -0.0381, 0.1926),
        ((10, 0), (20, 0), -0.1611, 0.2775),
        ((10, 0), (10, 0), -0.2775, 0.2775),
        ((10, 10), (20, 0), 0.6791, 1.0000),
        ((10, 10), (10, 0), 0.6075, 1.0000),
    ],
)
def test_published_intervals(treated, holdout, low, high):
    """The interval is Newcombe's method 10, to the digits that he printed."""
    found = lift(Arm(*treated), Arm(*holdout))

    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_wilson():
    """Wilson's interval of 81 in 263 is the published 0.2553 to 0.3662 (Newcombe 1998)."""
    low, high = wilson(Arm(263, 81), 1.959964)

    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_relative():
    """The relative lift is a share of the holdout's rate, and None if that is 0."""
    assert lift(Arm(100, 15), Arm(100, 10)).relative == pytest.approx(0.5)
    assert lift(Arm(100, 15), Arm(100, 0)).relative is None


@pytest.mark.parametrize("arms", [(Arm(0, 0), Arm(9, 1)), (Arm(9, 1), Arm(0, 0))])
def test_an_empty_group_has_no_lift(arms):
    """Without users on one side there is no lift."""
    assert lift(*arms) is None


@pytest.mark.parametrize("arms", [(Arm(1, 2), Arm(9, 1)), (Arm(9, 1), Arm(9, -1))])
def test_impossible_counts_are_errors(arms):
    """More conversions than users, or a negative number, are an error."""
    with pytest.raises(ValueError, match="cannot have converted"):
        lift(*arms)


@settings(max_examples=200, deadline=None)
@given(ARMS, ARMS)
def test_the_interval_contains_the_difference(treated, holdout):
    """The interval contains the difference, stays within -1 and 1, and mirrors with the groups."""
    one, other = lift(treated, holdout), lift(holdout, treated)

    assert -1 - 1e-9 <= one.low <= one.difference + 1e-12
    assert one.difference - 1e-12 <= one.high <= 1 + 1e-9
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_excludes_zero():
    """A clear difference excludes zero in both directions; equal rates do not."""
    assert lift(Arm(1000, 300), Arm(1000, 100)).excludes_zero
    assert lift(Arm(1000, 100), Arm(1000, 300)).excludes_zero
    assert not lift(Arm(1000, 100), Arm(1000, 100)).excludes_zero


def test_the_detectable_lift():
    """1,000 and 1,000 users at a rate of 10 % show 3.8 points; larger arms show less."""
    arms = Arm(1000, 100), Arm(1000, 100)
    assert detectable(*arms) == pytest.approx(0.0376, abs=0.0001)
    assert detectable(Arm(4000, 400), Arm(4000, 400)) == pytest.approx(detectable(*arms) / 2)
    assert detectable(Arm(1000, 0), Arm(0, 0)) is None
