"""The processes around the job on Flink are killed, one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import flink_faults
from tests.kit.flink_users import Everyone, sample_users
from tests.kit.random_users import RandomUsers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]


def test_no_crash_changes_an_output_or_a_state(java: Path, tmp_path: Path) -> None:
    """A TaskManager, the JobManager, the broker, Redis and both relays are killed and started again while
    records go through: every output is there once, in order, and so is the state of every user, in the
    job and in Redis (R31).
    """
    others = RandomUsers(16)
    people = Everyone(sample_users(50), others, end=others.end, states=True)
    found = flink_faults.run(people, rounds=len(flink_faults.KINDS), seed=1, folder=tmp_path)

    assert sorted(found.killed) == sorted(flink_faults.KINDS)
    assert found.differ == set()
    assert found.states_differ == set()
    assert found.states > 0
