"""How old a trait is: what the joining of two keys goes by (R8)."""

from __future__ import annotations

from transforms.flows.state.trait_times import UNKNOWN, ages_of, stamp, updated_times

NOW = 1_770_000_000_000


def test_each_trait_has_the_age_of_its_last_word() -> None:
    """A trait that is told again is new, one that goes takes its age along, others keep theirs."""
    first = updated_times(b"", [], ("a", "b", "c"), {"a", "b", "c"}, NOW)
    second = updated_times(first, ["a", "b", "c"], ("a", "c", "d"), {"c", "d"}, NOW + 5_000)

    assert ages_of(second, ("a", "c", "d")) == {
        "a": stamp(NOW),
        "c": stamp(NOW + 5_000),
        "d": stamp(NOW + 5_000),
    }
    assert stamp(NOW) < stamp(NOW + 5_000)


def test_a_state_of_before_has_the_oldest_ages() -> None:
    """Traits of a state written before ages were kept count as older than any other (R8)."""
    assert ages_of(b"", ("a",)) == {"a": UNKNOWN}
    now = updated_times(b"", ["a", "b"], ("a", "b"), {"b"}, NOW)
    assert ages_of(now, ("a", "b")) == {"a": UNKNOWN, "b": stamp(NOW)}


def test_the_usual_case() -> None:
    """Traits that are all known are told anew in their places; one that is not there has no age."""
    first = updated_times(b"", [], ("a", "b"), {"a", "b"}, NOW)
    second = updated_times(first, ["a", "b"], ("a", "b"), {"b", "gone"}, NOW + 5_000)

    assert ages_of(second, ("a", "b")) == {"a": stamp(NOW), "b": stamp(NOW + 5_000)}
    assert (len(first), len(second)) == (4, 8)
