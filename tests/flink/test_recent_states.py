"""The states that stay in memory, and what the job's function does with them."""

from __future__ import annotations

from transforms.flink.recent_states import OVERHEAD, RecentStates

SIZE = 100
STATE = bytes(SIZE)


def test_a_state_is_taken_once() -> None:
    """What was put can be taken, and is gone then: a step that fails leaves no copy."""
    recent = RecentStates()
    recent.put("shop/kim", (5, STATE))

    assert recent.take("shop/kim") == (5, STATE)
    assert recent.take("shop/kim") is None


def test_the_size_is_bounded() -> None:
    """The states that were put longest ago go first, once all together are too large."""
    recent = RecentStates(3 * (SIZE + OVERHEAD))
    for number in range(5):
        recent.put(f"shop/{number}", (None, STATE))
    recent.put("shop/2", recent.take("shop/2") or (None, None))
    recent.put("shop/5", (None, STATE))

    kept = [number for number in range(6) if recent.take(f"shop/{number}")]
    assert kept == [2, 4, 5]


def test_a_state_larger_than_all_is_not_kept() -> None:
    """A state that is too large alone stays in Flink only."""
    recent = RecentStates(SIZE)
    recent.put("shop/kim", (None, STATE))

    assert recent.take("shop/kim") is None
