"""When a branch of a split test is the best: a test that may be looked at as often as one likes (I28).

The controller looks again every minute, until it is sure. An ordinary test of significance would
then almost always find a difference at some time, also where there is none. So the bound is that of
a confidence sequence: the probability that a branch is ever declared better although it is not, at
any of the looks, is at most 1 - confidence. (The asymptotic sequence of Waudby-Smith, Arbour, Sinha,
Kennedy and Ramdas 2021, for the difference of two rates.)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log, sqrt

from towpath.control.index import Tally
from transforms.flows.definitions.steps.branches import Split


def best_branch(split: Split, tallies: Mapping[str, Tally]) -> str | None:
    """Return the branch that is better than every other one, None if that is not sure yet.

    Every branch that can win needs the minimum of users. A split without ``winner`` has none.
    """
    able = [branch.name for branch in split.branches if not (branch.holdout or branch.rest)]
    if split.winner is None or len(able) < 2:
        return None
    arms = {name: tallies.get(name, Tally(0)) for name in able}
    if min(arm.users for arm in arms.values()) < split.winner.minimum:
        return None
    best = max(able, key=lambda name: arms[name].results / arms[name].users)
    risk = (1 - split.winner.confidence / 100) / len(able)  # any of them may be the wrong one
    others = (arms[name] for name in able if name != best)
    sure = all(_is_better(arms[best], other, risk, split.winner.minimum) for other in others)
    return best if sure else None


def _is_better(one: Tally, other: Tally, risk: float, minimum: int) -> bool:
    """Return whether a rate is higher than another; wrong with this risk at all looks together.

    The bound is narrowest when each branch has the minimum of users.
    """
    a, b = one.results / one.users, other.results / other.users
    variance = a * (1 - a) / one.users + b * (1 - b) / other.users
    if variance == 0:
        # All or none of a branch: one more user with, and one without a result, in both.
        a, b = (one.results + 1) / (one.users + 2), (other.results + 1) / (other.users + 2)
        variance = a * (1 - a) / one.users + b * (1 - b) / other.users
    certain = -2 * log(2 * risk)
    tune = (certain + log(certain + 1) + 1) / minimum
    size = 2 / (1 / one.users + 1 / other.users)
    bound = (1 + 1 / (size * tune)) * (log(1 + size * tune) + certain)
    return a - b > sqrt(variance * bound)
