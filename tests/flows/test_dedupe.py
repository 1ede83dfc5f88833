from __future__ import annotations

import pytest

from transforms.flows.state.dedupe import ENTRY, ROOM, WEEK, forgotten, joined, remember, seen
from transforms.flows.state.ids import draw, hashed, short

NOW = 1_770_000_000_000


def test_remembers_for_seven_days() -> None:
    """R5: an id is remembered for 7 days; a later signal with it is refused as too old."""
    memory, dropped = remember(b"", short("a"), NOW, NOW, 0)
    later, dropped = remember(memory, short("b"), NOW + WEEK - 1, NOW + WEEK - 1, dropped)
    gone, dropped = remember(later, short("c"), NOW + WEEK, NOW + WEEK, dropped)

    assert seen(later, short("a"))
    assert not seen(gone, short("a"))
    assert forgotten(NOW + WEEK, dropped) >= NOW


def test_the_number_of_ids_is_limited() -> None:
    """R5: at most 2,000 ids are kept; after one is dropped, signals up to its event time are too
    old.
    """
    memory, dropped = b"", 0
    for n in range(ROOM + 3):
        memory, dropped = remember(memory, short(str(n)), NOW + n * 1000, NOW + n * 1000, dropped)

    assert len(memory) == ROOM * ENTRY
    assert not seen(memory, short("2"))
    assert seen(memory, short("3"))
    assert forgotten(NOW, dropped) == NOW + 2_000


def test_two_memories_are_merged() -> None:
    """R5, R8: the merged memory has the ids of both by event time, up to the limit."""
    one, two, dropped = b"", b"", 0
    for n in range(1_500):
        one, _ = remember(one, short(str(n)), NOW + n * 1000, NOW, 0)
        two, _ = remember(two, short(str(n + 1_000)), NOW + (n + 1_000) * 1000, NOW, 0)
    both, dropped = joined(two, one, 7)

    assert len(both) == ROOM * ENTRY
    assert not seen(both, short("499"))
    assert all(seen(both, short(str(n))) for n in range(500, 2_500))
    assert dropped == NOW + 499_000


def test_ids_are_found_only_at_entry_boundaries() -> None:
    """An id is found only at the start of an entry, never across two entries."""
    memory, dropped = remember(b"", b"abcdef", 0, NOW, 0)
    memory, dropped = remember(memory, b"ghijkl", NOW, NOW, dropped)

    across = memory[3:9]
    assert not seen(memory, across)


def test_ids_are_permanent() -> None:
    """R30: ids and hashes never change."""
    assert hashed("signal", "space", "user", "cause") == "33651e5d150551f7549f3bcb"
    assert [draw("space", "flow", str(n)) for n in range(4)] == [2786, 7365, 5748, 4936]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("signal", "a", "k\x1f"), ("signal", "a\x1fk", "")),
        (("signal", "a", "bc"), ("signal", "ab", "c")),
        (("signal", "space", "user", "seen@5"), ("audience", "space", "user", "seen", "5")),
        (("a", "1:b"), ("a", "1", "b")),
    ],
)
def test_texts_of_other_parts_give_other_ids(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """R30: an id depends on its kind and on where each part ends."""
    assert hashed(*one) != hashed(*other)


def test_random_assignment_is_even() -> None:
    """Assignments spread over 0..9999: each tenth of the range gets a tenth of 20,000 users."""
    counts = [0] * 10
    for n in range(20_000):
        counts[draw("space", "flow", f"user-{n}") // 1000] += 1

    assert all(1_800 < count < 2_200 for count in counts)
