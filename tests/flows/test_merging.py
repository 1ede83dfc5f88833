"""Decisions while a state is handed over between two keys, and limits after the merge (R8)."""

from __future__ import annotations

import msgspec
import pytest

from tests.kit.keys import Keys
from tests.kit.worlds import HOUR
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.engine.working import State, decode
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.control_records import Pause, Record, Resume, Stop
from transforms.flows.protocol.signals import Enter, Event, Handover, ProfileChange

START = 1_772_323_200_000
SPACE = "space: shop\nchannels:\n  log: {address: user}\n"
FIRST = """
flow: first
enter: [{event: Cart}]
steps:
  pause: {wait: 1h}
"""
ENROLS = "  go: {enroll: second}\n  stay: {wait: 5d}\n"
ASKS = """
  double:
    code: |
      def run():
          return {"n": 2}
    error: lost
    then: stay
  stay: {wait: 5d, then: over}
  over: {end: done}
  lost: {end: lost}
"""
AT_THE_END = "  stay: {wait: 5d}\non_exit:\n  go: {enroll: second}\n"
SECOND = """
flow: second
enter: [{flow: first}]
steps:
  stay: {wait: 9d}
"""


def merged(first: str, loaded: bool, *more: Record) -> Keys:
    """Pause and resume a flow around the identify, whose handover arrives late."""
    flows = {"first": FIRST + first, "second": SECOND}
    records: list[Record] = [
        Pause(sequence=90, effective_at=START + HOUR // 2, flow="first"),
        Resume(sequence=91, effective_at=START + 4 * HOUR, flow="first"),
        *more,
    ]
    keys = Keys(catalog_of([*records_of(flows, SPACE, {}), *records]))
    keys.give(Event(id="c", user="anon:1", time=START, name="Cart"))
    known = ProfileChange(
        id="i", user="anon:1", becomes="kim", time=START + 2 * HOUR, bypass=loaded
    )
    keys.give(known)
    handover, *rest = keys.ways["anon:1", "kim"]
    assert isinstance(handover, Handover)
    keys.give(msgspec.structs.replace(handover, received=START + 6 * HOUR))
    for forwarded in rest:
        keys.give(forwarded)
    return keys


def state_of(keys: Keys) -> State:
    """Return the state of the user's key."""
    return decode(keys.states["kim"] or b"")


def rows(keys: Keys, what: str) -> list[tuple[str, int]]:
    """Return the flows and hours in which sessions wrote rows under the user's key."""
    found = [o for o in keys.outputs if isinstance(o, out.Transition) and o.what == what]
    return [(o.flow, (o.at - START) // HOUR) for o in found if o.user == "kim"]


@pytest.mark.parametrize("loaded", [False, True])
def test_a_code_answer_during_a_handover_is_stored(loaded: bool) -> None:
    """Code that a resume runs during the handover is answered, even if the identify is history (R8,
    R10).
    """
    keys = merged(ASKS, loaded)

    (session,) = state_of(keys).sessions
    assert session.variables["double"] == {"n": 2}
    assert (session.awaiting_call, rows(keys, "ended")) == (0, [])


@pytest.mark.parametrize("loaded", [False, True])
def test_an_enrolment_during_a_handover_takes_effect(loaded: bool) -> None:
    """A session that a resume lets enrol the user during the handover does so, even in history."""
    keys = merged(ENROLS, loaded)

    assert rows(keys, "entered") == [("second", 4)]
    assert len(state_of(keys).sessions) == 2


@pytest.mark.parametrize("loaded", [False, True])
def test_control_records_during_a_handover_apply_in_order(loaded: bool) -> None:
    """The effects of one record during a handover are complete before the next one applies (R1)."""
    keys = merged(ENROLS, loaded, Stop(sequence=92, effective_at=START + 5 * HOUR, flow="second"))

    assert rows(keys, "entered") == [("second", 4)]
    assert rows(keys, "ended") == [("second", 5)]


@pytest.mark.parametrize("loaded", [False, True])
def test_a_session_ended_by_a_merge_runs_on_exit(loaded: bool) -> None:
    """A session that a merge ends runs its ``on_exit`` steps, even if the identify is history."""
    flows = {"first": FIRST + AT_THE_END, "second": SECOND}
    keys = Keys(catalog_of(records_of(flows, SPACE, {})))
    keys.give(Event(id="c1", user="anon:1", time=START, name="Cart"))
    keys.give(Event(id="c2", user="kim", time=START + 1, name="Cart"))
    keys.give(ProfileChange(id="i", user="anon:1", becomes="kim", time=START + HOUR, bypass=loaded))
    keys.give(keys.ways["anon:1", "kim"][0])

    assert rows(keys, "entered") == [("first", 0), ("second", 1)]


def test_merged_participants_stay_within_the_limit() -> None:
    """Merged participants stay within the limit of all data; the user's own are kept."""
    names = [f"c{n}" for n in range(8)]
    space = SPACE + "campaigns:\n" + "".join(f"  {name}: {{}}\n" for name in names)
    flow = FIRST.replace("enter:", "campaign: c0\nenter:")
    keys = Keys(catalog_of(records_of({"first": flow}, space, {})))
    large = {"note": "x" * 30_000}
    for n, name in enumerate(names):
        keys.give(
            Enter(
                id=name,
                user="kim" if n % 2 else "anon:1",
                time=START + n,
                flow=name,
                operation="upload",
                participant=large,
            )
        )
    keys.give(ProfileChange(id="i", user="anon:1", becomes="kim", time=START + HOUR))
    told = keys.give(keys.ways["anon:1", "kim"][0])

    assert set(state_of(keys).participants) == {"c1", "c3", "c5", "c7"}
    refused = [(o.reason, o.detail) for o in told if isinstance(o, out.Rejection)]
    assert refused == [("value_too_large", "participant")] * 4
