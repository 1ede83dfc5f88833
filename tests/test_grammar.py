"""The simulator generates the whole language: otherwise some of it would not be tested."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.kit.conditions import CONDITIONS
from tests.kit.keyed_users import keyed_user
from tests.kit.language_use import contents, members, possible_contents
from tests.kit.simulate import make
from tests.kit.worlds import world
from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.space import Space
from transforms.flows.expressions.syntax.parse import parse
from transforms.flows.protocol import control_records, signals

WORLDS = 600
HISTORIES = 2_000
PERSONS = 40

UNSAID = {
    "Space.arrival",  # only streaming hosts read it: tests/hosting/test_order.py
    "When.yearly",  # only set by triggers
    "Command.what=wake",  # not in a clean run: the faulty ones have wake commands
    *(
        f"{kind.__name__}.{field}"  # nothing depends on them
        for kind in members(control_records.ControlRecord)
        for field in ("by", "made_at", "note")
    ),
    *(
        f"{kind}.{field}"  # raised by the core, and never in a file or a call
        for kind in ("Forwarded", "Handover")
        for field in ("sequence", "received", "bypass", "backfill")
    ),
}


@pytest.mark.slow
def test_worlds_contain_the_whole_language() -> None:
    """Each trigger, step, case, exit rule and setting of flows and spaces occurs, with each field."""
    wanted = possible_contents([Flow, Space]) - set(contents([parse(text) for text in CONDITIONS]))
    seed = 0
    while wanted - UNSAID and seed < WORLDS:
        catalog = world(seed).catalog()
        wanted -= set(contents([plan.flow for plan in catalog.plans.values()]))
        wanted -= set(contents([epoch.space for epoch in catalog.epochs]))
        seed += 1

    assert sorted(wanted - UNSAID) == []


def test_logs_contain_every_control_record() -> None:
    """Each control record occurs, with each field."""
    wanted = possible_contents(members(control_records.ControlRecord))
    seed = 0
    while wanted - UNSAID and seed < WORLDS:
        wanted -= set(contents(world(seed).records))
        seed += 1

    assert sorted(wanted - UNSAID) == []


@pytest.mark.slow
def test_histories_contain_every_signal() -> None:
    """Each signal and each command occurs, with each field."""
    wanted = possible_contents(members(signals.Signal))
    told = chain.from_iterable(keyed_user(world(n), n).keys.given for n in range(PERSONS))
    wanted -= set(contents(list(told)))
    seed = 0
    while wanted - UNSAID and seed < HISTORIES:
        wanted -= set(contents([given.signal for given in make(seed).handled]))
        seed += 1

    assert sorted(wanted - UNSAID) == []
