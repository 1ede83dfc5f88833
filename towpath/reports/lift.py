"""The lift of a flow: the difference in conversion between users with it and its holdout.

The interval is Newcombe's hybrid score interval for the difference of two independent
proportions (method 10 of Newcombe 1998, made of two Wilson intervals). It stays within
-1 and 1 and holds for small groups and for rates near 0, where the normal approximation fails.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import msgspec


class Arm(msgspec.Struct, frozen=True, gc=False):
    """One arm of the test: how many users entered, and how many converted at least once.

    Assignment to the holdout is by user, so the unit is the user: sessions of one user are not
    independent, and counting sessions would make the interval too narrow.
    """

    users: int
    converted: int

    @property
    def rate(self) -> float:
        return self.converted / self.users


class Lift(msgspec.Struct, frozen=True, gc=False):
    """The difference of two rates, treated minus holdout, with its confidence interval.

    ``relative`` is the difference as a share of the holdout's rate, None if that rate is 0.
    """

    treated: float
    holdout: float
    difference: float
    low: float
    high: float
    relative: float | None
    confidence: float

    @property
    def excludes_zero(self) -> bool:
        """Return True if the interval does not include 0."""
        return self.low > 0 or self.high < 0


def lift(treated: Arm, holdout: Arm, confidence: float = 0.95) -> Lift | None:
    """Compare two arms; None where one is empty.

    Raises ``ValueError`` for counts that cannot be, or a confidence not between 0 and 1.
    """
    _check(treated, holdout, confidence)
    if not treated.users or not holdout.users:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    difference = treated.rate - holdout.rate
    low_t, high_t = wilson(treated, z)
    low_h, high_h = wilson(holdout, z)
    return Lift(
        treated=treated.rate,
        holdout=holdout.rate,
        difference=difference,
        low=difference - sqrt((treated.rate - low_t) ** 2 + (high_h - holdout.rate) ** 2),
        high=difference + sqrt((high_t - treated.rate) ** 2 + (holdout.rate - low_h) ** 2),
        relative=difference / holdout.rate if holdout.converted else None,
        confidence=confidence,
    )


def detectable(
    treated: Arm, holdout: Arm, confidence: float = 0.95, power: float = 0.8
) -> float | None:
    """Return the smallest difference that arms of these sizes would show; None where one is empty.

    The rate is that of both arms together: nobody in them was treated. ``power`` is the probability
    that the interval of such a difference does not include 0.
    """
    if not treated.users or not holdout.users:
        return None
    both = Arm(treated.users + holdout.users, treated.converted + holdout.converted)
    normal = NormalDist()
    z = normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(power)
    return z * sqrt(both.rate * (1 - both.rate) * (1 / treated.users + 1 / holdout.users))


def wilson(arm: Arm, z: float) -> tuple[float, float]:
    """Give Wilson's score interval of one arm's rate, without continuity correction."""
    n, p = arm.users, arm.rate
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return centre - half, centre + half


def _check(treated: Arm, holdout: Arm, confidence: float) -> None:
    for arm in (treated, holdout):
        if not 0 <= arm.converted <= arm.users:
            raise ValueError(f"{arm.converted} of {arm.users} users cannot have converted")
    if not 0 < confidence < 1:
        raise ValueError(f"the confidence level must be between 0 and 1, not {confidence}")
