from __future__ import annotations

import pytest

from transforms.flows.catalog.control_log import InvalidLog, catalog_of, records_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.step import Behind, Done, fold, step
from transforms.flows.engine.timers import next_due
from transforms.flows.engine.working import State
from transforms.flows.protocol.control_records import (
    ControlRecord,
    Kill,
    Publish,
    SetGoals,
    SetSpace,
    Start,
    Stop,
    Winner,
)
from transforms.flows.protocol.signals import Command, Event, Time
from transforms.flows.state.stored import Communication

FLOW = """\
flow: hello
enter:
  - event: Signed Up
steps:
  settle: {wait: 1h}
  greet: {send: log, template: hi}
"""
READING = FLOW.replace("template: hi}", "template: hi, data: {k: entry.k}}")
SPACE = """\
space: test
channels:
  log: {address: user}
"""
HOUR = 3_600_000
START = 1_770_000_000_000


def catalog(complete_until: int | None = None) -> Catalog:
    """Return a catalog of one flow that waits an hour and sends a greeting."""
    records = records_of({"hello": FLOW}, SPACE, {"hello": {"hi": "Hello {{ user.name }}"}})
    return catalog_of(records) if complete_until is None else catalog_of(records, complete_until)


def signed_up(n: int = 1, time: int = START, **more: object) -> Event:
    """Return the event that starts the flow."""
    return Event(id=f"e{n}", user="ann", time=time, name="Signed Up", **more)  # type: ignore[arg-type]


def done(found: Done | Behind) -> Done:
    """Return the result of a finished step."""
    assert isinstance(found, Done)
    return found


def test_behind_changes_nothing() -> None:
    """Section 7: if the log is not complete until the handling time, nothing is handled."""
    assert step(catalog(START - 1), None, signed_up()) == Behind(START)
    assert isinstance(step(catalog(START), None, signed_up()), Done)


def test_wake_at_is_when_the_wait_ends() -> None:
    """R1: a host gets one instant at which to call again; an early call returns the same instant."""
    first = done(step(catalog(), None, signed_up()))
    early = done(step(catalog(), first.state, Time("ann", START + HOUR - 1)))
    late = done(step(catalog(), first.state, Time("ann", START + 50 * HOUR)))

    assert first.wake_at == START + HOUR
    assert (early.state, early.outputs, early.wake_at) == (first.state, (), START + HOUR)
    assert [o.at for o in late.outputs if o.__struct_config__.tag == "message"] == [START + HOUR]
    assert late.wake_at is None


def test_a_wake_command_fires_due_timers() -> None:
    """R29: ``wake`` fires what is due by its time and does nothing else."""
    first = done(step(catalog(), None, signed_up()))
    wake = Command(id="w", user="ann", time=START + HOUR, what="wake")

    assert step(catalog(), first.state, wake) == step(
        catalog(), first.state, Time("ann", START + HOUR)
    )


def test_fold_is_step_after_step() -> None:
    """R3: signals in one call or in several give the same state and the same outputs."""
    signals = [signed_up(1), signed_up(1), signed_up(2, START + 2 * HOUR), Time("ann", START * 2)]
    blob, outputs = None, []
    for signal in signals:
        result = done(step(catalog(), blob, signal))
        blob, outputs = result.state, [*outputs, *result.outputs]
    whole = done(fold(catalog(), None, signals))

    assert (whole.state, list(whole.outputs)) == (blob, outputs)


def test_an_unused_event_creates_no_user() -> None:
    """R5: an unused event changes nothing and creates no user."""
    other = Event(id="x", user="ann", time=START, name="Page Viewed")
    first = done(step(catalog(), None, signed_up()))

    assert step(catalog(), None, other) == Done(None, (), None)
    assert done(step(catalog(), first.state, other)).state == first.state


def test_timers_of_unknown_users_change_nothing() -> None:
    """A timer of a user without a state does nothing."""
    assert step(catalog(), None, Time("ann", START)) == Done(None, (), None)


def test_a_log_that_does_not_load_is_refused() -> None:
    """R27: a log with an invalid version or an unknown flow is refused, with the reason."""
    broken = Publish(sequence=1, effective_at=0, flow="hello", version=1, text="flow: hello\n")

    with pytest.raises(InvalidLog) as found:
        catalog_of([broken])
    assert found.value.problems

    with pytest.raises(InvalidLog, match="never published"):
        catalog_of([Start(sequence=1, effective_at=0, flow="nobody")])


def test_the_catalog_answers_as_of_any_instant() -> None:
    """A catalog answers as of any instant: before the stop the flow runs, after it is finished."""
    records = records_of({"hello": FLOW}, SPACE, {"hello": {"hi": "Hello"}})
    stop = Stop(sequence=9, effective_at=START, flow="hello")
    found = catalog_of([*records, stop])

    assert found.at(START - 1).by_id["hello"].status == "running"
    assert found.at(START).by_id["hello"].status == "finished"
    assert found.next_effect(0, START) is not None


def test_an_unused_event_is_behind_if_the_log_is() -> None:
    """Section 7: whether an event is used is decided only if the log is complete."""
    records = records_of({"hello": FLOW}, SPACE, {"hello": {"hi": "Hello"}}, START)
    found = catalog_of(records, START - HOUR)

    assert step(found, None, signed_up(1, START - 1)) == Behind(START - 1)


def test_fold_is_step_after_step_before_the_first_definition() -> None:
    """R3: an event that is not read yet creates no user, so a timer after it does nothing."""
    records = records_of({"hello": FLOW}, SPACE, {"hello": {"hi": "Hello"}}, START)
    found = catalog_of(records, START)
    early, alarm = signed_up(1, START - HOUR), Time("ann", START + HOUR)

    assert step(found, None, early) == Done(None, (), None)
    assert step(found, None, alarm) == Done(None, (), None)
    assert fold(found, None, [early, alarm]) == Done(None, (), None)


def test_a_duplicate_changes_nothing() -> None:
    """R5: a duplicate fires no timers and does not advance the clock, whatever its ingestion time."""
    first = done(step(catalog(), None, signed_up()))
    again = done(step(catalog(), first.state, signed_up(1, START + 2 * HOUR)))

    assert (again.state, again.outputs) == (first.state, ())
    assert again.wake_at == START + HOUR


def test_numbers_in_ids_sort_as_numbers() -> None:
    """R1: of two messages of one session that are due at one instant, the older is sent first."""
    sent = [
        Communication(f"x-{n}", "x", 0, 1, 0, START, "log", "planned", START, due=START + 1)
        for n in (10, 2)
    ]
    state = State(clock=START, control_applied=START)
    state.communications = sent
    found = next_due(catalog(), state, START + 1)

    assert found is not None
    assert found[1] is sent[1]


def published(version: int, text: str = FLOW, flow: str = "hello", **more: object) -> Publish:
    """Return the control record of a version."""
    return Publish(
        sequence=5,
        effective_at=START,
        flow=flow,
        version=version,
        text=text,
        templates={"hi": "Hello"},
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (published(1), "version 1 of hello is published twice"),
        (published(1, FLOW.replace("1h", "2h")), "published twice"),
        (published(2, READING, migrate=True), "reads entry.k, which sessions of version 1 do not"),
        (published(2, successors={"greet": "settle"}), "migrates no sessions"),
        (published(2, migrate=True, successors={"greet": "gone"}), "there is no step gone"),
        (published(2, migrate=True, successors={"gone": "greet"}), "there is no step gone"),
        (
            Winner(sequence=5, effective_at=START, flow="hello", step="greet", branch="a"),
            "is not a split",
        ),
        (SetGoals(sequence=5, effective_at=START, flow="hello", text="won: {}"), "have problems"),
        (Kill(sequence=5, effective_at=START, channel="pigeon"), "channel pigeon, which is none"),
        (published(2, FLOW.replace("flow: hello", "flow: other")), "has problems"),
        (published(2, flow="old/hello"), "the text of another flow"),
        (SetSpace(sequence=5, effective_at=START, text="space: other\n"), "for good"),
    ],
)
def test_records_that_would_change_the_past_are_refused(record: ControlRecord, why: str) -> None:
    """R27, R30: a version is published once and never changes; nor does the name of the space."""
    records = records_of({"hello": FLOW}, SPACE, {"hello": {"hi": "Hello"}})

    with pytest.raises(InvalidLog, match=why):
        catalog_of([*records, record])


def test_nothing_is_defined_before_the_first_record() -> None:
    """Section 7: definitions apply from their own time, including the first ones."""
    found = catalog_of(records_of({"hello": FLOW}, SPACE, {"hello": {"hi": "Hello"}}, START))

    assert not found.at(START - 1).flows
    assert found.at(START).by_id["hello"].status == "running"
