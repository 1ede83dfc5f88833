"""What the pages say about chance: two groups that were treated alike differ as chance allows."""

from __future__ import annotations

import csv
import gzip
from collections import Counter

from tests.packaging.repository import ROOT
from towpath.reports.lift import Arm, Lift, lift
from transforms.flows.state.ids import draw

PURCHASES = ROOT / "towpath" / "sample_data" / "cdnow_purchases.csv.gz"
SPACES = 40
SHARE = 1_000
HEAVY = 3


def test_about_one_interval_in_twenty_excludes_0() -> None:
    """Over many random holdouts, about one confidence interval in twenty excludes 0."""
    with gzip.open(PURCHASES, "rt", encoding="utf-8") as file:
        counts = Counter(row["customer_id"] for row in csv.DictReader(file))
    lifts = [_lift(f"space{number}", counts) for number in range(SPACES)]
    missing = sum(found.excludes_zero for found in lifts)

    assert missing <= SPACES * 0.15
    assert abs(sum(found.difference for found in lifts)) / SPACES < 0.005


def _lift(space: str, counts: Counter[str]) -> Lift:
    """Compare the share of users with three or more purchases between a random holdout and the
    rest.
    """
    arms = {True: [0, 0], False: [0, 0]}
    for user, count in counts.items():
        arm = arms[draw(space, "win_back", user, "holdout") < SHARE]
        arm[0] += 1
        arm[1] += count >= HEAVY
    found = lift(Arm(*arms[False]), Arm(*arms[True]))
    assert found is not None
    return found
