"""The sequence of transitions: the order within a user, and within a session that changes its key (R25)."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from tests.kit.keys import Keys
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.engine.step import Done, fold
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Command, Event, ProfileChange, Signal

START = 1_772_323_200_000
HOUR = 3_600_000
SPACE = "space: shop\nchannels:\n  log: {address: user}\n"
FLOWS = {
    "cart": "flow: cart\nenter: [{event: Cart}]\nsteps:\n  stay: {wait: 5d}\n  more: {wait: 5d}\n",
    "visit": "flow: visit\nenter: [{event: Visit}]\nsteps:\n  stay: {wait: 5d}\n  more: {wait: 1d}\n",
}
CATALOG = catalog_of(records_of(FLOWS, SPACE, {}))


def rows(found: list[out.AnyOutput]) -> list[out.Transition]:
    """Return the transitions."""
    return [output for output in found if isinstance(output, out.Transition)]


def grows(found: list[out.Transition]) -> bool:
    """Return True if each sequence is higher than the one before."""
    return all(one.sequence < other.sequence for one, other in pairwise(found))


def test_the_sequence_is_the_order_of_decisions() -> None:
    """Rows of two sessions at one instant have the order in which they were decided."""
    signals: list[Signal] = [
        Event(id="a", user="kim", time=START, name="Cart"),
        Event(id="b", user="kim", time=START, name="Visit"),
        Event(id="c", user="kim", time=START + 30 * 24 * HOUR, name="Cart"),
    ]
    whole = fold(CATALOG, None, signals)
    assert isinstance(whole, Done)
    state, single = None, list[out.AnyOutput]()
    for signal in signals:
        done = fold(CATALOG, state, [signal])
        assert isinstance(done, Done)
        state = done.state
        single += done.outputs

    assert grows(rows(list(whole.outputs)))
    assert list(whole.outputs) == single
    assert rows(single)[0].sequence == START


def test_a_session_that_changes_its_key_goes_on_with_higher_numbers() -> None:
    """The newest row of a session is the one with the highest sequence, also after a merge (R8)."""
    keys = Keys(CATALOG)
    keys.give(Event(id="v", user="kim", time=START, name="Visit"))
    keys.give(Event(id="c", user="anon:1", time=START + 2 * HOUR, name="Cart"))
    keys.give(ProfileChange(id="i", user="anon:1", becomes="kim", time=START + 3 * HOUR))
    for signal in keys.ways["anon:1", "kim"]:
        keys.give(signal)

    cart = [row for row in rows(keys.outputs) if row.flow == "cart"]
    assert [row.user for row in cart] == ["anon:1", "anon:1", "anon:1", "kim"]
    assert grows(cart)
    assert grows([row for row in rows(keys.outputs) if row.user == "kim"])


def test_a_state_that_is_not_merged_ends_with_higher_numbers() -> None:
    """Sessions of a refused handover end under the other key, with its next numbers (R7)."""
    keys = Keys(CATALOG)
    keys.give(Event(id="v", user="kim", time=START, name="Visit"))
    keys.give(Event(id="c", user="anon:1", time=START + HOUR, name="Cart"))
    keys.give(ProfileChange(id="i", user="anon:1", becomes="kim", time=START + 2 * HOUR))
    keys.give(Command(id="x", user="kim", time=START + 3 * HOUR, what="erase"))
    for signal in keys.ways["anon:1", "kim"]:
        keys.give(msgspec.structs.replace(signal, received=START + 4 * HOUR))
    keys.give(Event(id="w", user="kim", time=START + 5 * HOUR, name="Visit"))

    assert [row.reason for row in rows(keys.outputs) if row.what == "ended"] == ["erased"] * 2
    for name in ("kim", *(row.session for row in rows(keys.outputs))):
        assert grows([row for row in rows(keys.outputs) if name in (row.user, row.session)])


def test_an_erased_user_uses_no_number_again() -> None:
    """The first transition after an erasure has a higher number than the last one before (R32)."""
    found = fold(
        CATALOG,
        None,
        [
            Event(id="v", user="kim", time=START, name="Visit"),
            Command(id="x", user="kim", time=START + 1, what="erase"),
            Event(id="w", user="kim", time=START + 2, name="Visit"),
        ],
    )
    assert isinstance(found, Done)

    assert grows(rows(list(found.outputs)))


def test_a_joined_state_takes_a_new_life_back_to_no_earlier_number() -> None:
    """A key that was erased over a month ago gets older sessions; its rows go on above its last (R32)."""
    keys = Keys(CATALOG)
    keys.give(Event(id="c", user="anon:1", time=START, name="Cart"))
    keys.give(Event(id="v", user="kim", time=START + HOUR, name="Visit"))
    keys.give(Command(id="x", user="kim", time=START + 2 * HOUR, what="erase"))
    later = START + 40 * 24 * HOUR
    keys.give(Event(id="d", user="anon:1", time=later, name="Cart"))
    keys.give(ProfileChange(id="i", user="anon:1", becomes="kim", time=later + HOUR))
    for signal in keys.ways["anon:1", "kim"]:
        keys.give(signal)

    mine = [row for row in rows(keys.outputs) if row.user == "kim"]
    assert [row.reason for row in mine if row.reason in ("erased", "joined")] == ["erased"] * 2 + [
        "joined"
    ]
    assert grows(mine)
