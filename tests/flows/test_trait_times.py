"""When each trait was set, which decides conflicts in a merge of two keys (R8)."""

from __future__ import annotations

from transforms.flows.state.trait_times import UNKNOWN, ages_of, stamp, updated_times

NOW = 1_770_000_000_000


def test_each_trait_has_the_time_when_it_was_set_last() -> None:
    """Setting a trait updates its time, unsetting removes it, and other traits keep theirs."""
    first = updated_times(b"", [], ("a", "b", "c"), {"a", "b", "c"}, NOW)
    second = updated_times(first, ["a", "b", "c"], ("a", "c", "d"), {"c", "d"}, NOW + 5_000)

    assert ages_of(second, ("a", "c", "d")) == {
        "a": stamp(NOW),
        "c": stamp(NOW + 5_000),
        "d": stamp(NOW + 5_000),
    }
    assert stamp(NOW) < stamp(NOW + 5_000)


def test_an_old_state_without_times_counts_as_oldest() -> None:
    """Traits of a state that was written without times count as older than any other (R8)."""
    assert ages_of(b"", ("a",)) == {"a": UNKNOWN}
    now = updated_times(b"", ["a", "b"], ("a", "b"), {"b"}, NOW)
    assert ages_of(now, ("a", "b")) == {"a": UNKNOWN, "b": stamp(NOW)}


def test_setting_known_traits_updates_their_times() -> None:
    """Setting existing traits updates their times; a trait that does not exist gets none."""
    first = updated_times(b"", [], ("a", "b"), {"a", "b"}, NOW)
    second = updated_times(first, ["a", "b"], ("a", "b"), {"b", "gone"}, NOW + 5_000)

    assert ages_of(second, ("a", "b")) == {"a": stamp(NOW), "b": stamp(NOW + 5_000)}
    assert (len(first), len(second)) == (4, 8)
