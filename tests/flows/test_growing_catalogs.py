"""A catalog that grows record by record equals the one that is built of the whole log at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec
import pytest

from tests.kit.whole_epochs import indexes
from tests.kit.worlds import DAY, world
from transforms.flows.catalog.applied_log import AppliedLog, no_records
from transforms.flows.catalog.control_log import InvalidLog, catalog_of, records_of
from transforms.flows.catalog.epochs import NEVER, Catalog
from transforms.flows.protocol.control_records import (
    ControlRecord,
    Pause,
    Publish,
    Resume,
    SetSchedule,
    Stop,
)

SEEDS = range(60)
SPACE = "space: shop\nchannels: {log: {address: user}}\naudiences: {vip: static}\n"
FLOW = """
flow: NAME
enter:
  - event: Cart
  - {audience: vip}
steps:
  wait: {wait: 1h, then: done}
  done: {end: quiet}
"""


def shape(value: Any) -> Any:
    """Return what a value consists of; compiled functions are equal if their code and cells are."""
    if is_dataclass(value):
        return (type(value).__name__, *(shape(getattr(value, f.name)) for f in fields(value)))
    if isinstance(value, msgspec.Struct):
        return value
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(shape, value))
    if callable(value):
        return _function(value)
    if type(value).__module__.startswith("transforms."):
        return type(value).__name__, shape(getattr(value, "__dict__", None))
    return value


def _function(function: Callable[..., Any]) -> Any:
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    return getattr(function, "__qualname__", type(function).__name__), tuple(map(shape, cells))


def parts(catalog: Catalog) -> dict[str, Any]:
    """Return the parts of a catalog; plans have their own functions, so epochs name them."""
    found = {f.name: getattr(catalog, f.name) for f in fields(catalog)}
    found["plans"] = {key: shape(plan) for key, plan in catalog.plans.items()}
    known = {id(plan): f"plan {key}" for key, plan in catalog.plans.items()}
    found["epochs"] = [_named(epoch, known) for epoch in catalog.epochs]
    return found


def _named(value: Any, known: dict[int, str]) -> Any:
    if id(value) in known:
        return known[id(value)]
    if is_dataclass(value):
        return {f.name: _named(getattr(value, f.name), known) for f in fields(value)}
    if isinstance(value, dict):
        return {key: _named(item, known) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_named(item, known) for item in value)
    return shape(value)


def grown(rng: random.Random, records: tuple[ControlRecord, ...], most: int) -> AppliedLog:
    """Append records in the order of the log; what is complete grows as far as it may, or less."""
    log, left = no_records(), sorted(records, key=lambda record: record.sequence)
    while left:
        log = log.completed(_until(rng, log, left))
        number = rng.randint(1, most)
        some, left = left[:number], left[number:]
        log = log.extended(
            some, log.catalog.complete_until if rng.random() < 0.5 else _until(rng, log, left)
        )
    return log.extended((), NEVER) if rng.random() < 0.5 else log.completed(NEVER)


def _until(rng: random.Random, log: AppliedLog, left: list[ControlRecord]) -> int:
    """Choose how far the log is complete: before every record that is still to come."""
    declared = log.catalog.complete_until
    limit = min((record.effective_at for record in left), default=declared + DAY) - 1
    return max(declared, limit - rng.choice((0, 0, 1, DAY, 5 * DAY)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_catalog_that_grows_equals_one_built_at_once(seed: int) -> None:
    """Random logs with all kinds of records, some effective before earlier ones, in random batches."""
    rng, records = random.Random(f"growing {seed}"), world(seed).records
    whole = parts(catalog_of(records))
    assert whole["records"] == tuple(sorted(records, key=lambda r: (r.effective_at, r.sequence)))
    for most in (1, 4):
        found = parts(grown(rng, records, most).catalog)
        for name, part in whole.items():
            assert found[name] == part, name


@pytest.mark.parametrize("seed", SEEDS)
def test_indexes_that_grew_equal_those_made_anew(seed: int) -> None:
    """Each index over the flows of each epoch equals the one made of all flows."""
    catalog = catalog_of(world(seed).records)

    for epoch in catalog.epochs:
        for name, index in indexes(epoch).items():
            assert getattr(epoch, name) == index, (epoch.since, name)


def _log(flows: int = 3) -> list[ControlRecord]:
    texts = {f"f{n}": FLOW.replace("NAME", f"f{n}") for n in range(flows)}
    return records_of(texts, SPACE, {}, at=1_000)


def test_a_record_may_be_effective_before_one_that_waits() -> None:
    """A pause for next week does not prevent a stop for tomorrow."""
    pause = Pause(sequence=10, effective_at=7 * DAY, flow="f0")
    stop = Stop(sequence=11, effective_at=DAY, flow="f1")
    log = no_records().extended(_log(), 2_000).extended([pause], 3_000)
    both = log.extended([stop], 4_000).catalog

    assert [effect.what for effect in both.effects[-2:]] == ["stop", "pause"]
    assert parts(both) == parts(catalog_of([*_log(), pause, stop], 4_000))


def test_the_end_of_a_schedule_may_be_moved_before_it_comes() -> None:
    """What a schedule brings later is applied again after records that are effective before it."""
    first = SetSchedule(sequence=10, effective_at=DAY, flow="f0", end="1970-01-05T00:00")
    later = SetSchedule(sequence=11, effective_at=2 * DAY, flow="f0", end="1970-01-09T00:00")
    log = no_records().extended(_log(), 2_000).extended([first], 3_000)
    assert log.catalog.effects[-1].at == 4 * DAY

    assert parts(log.extended([later], 4_000).catalog) == parts(
        catalog_of([*_log(), first, later], 4_000)
    )


def test_a_record_before_what_is_complete_is_refused() -> None:
    """The log was declared complete: workers have already judged users by it."""
    log = no_records().extended(_log(), 2_000).completed(5_000)

    with pytest.raises(
        InvalidLog, match="record 10 is effective at 5000, but the log was declared"
    ):
        log.extended([Stop(sequence=10, effective_at=5_000, flow="f0")], 6_000)


def test_a_log_stays_as_it_was_after_a_refusal() -> None:
    """A record that cannot be followed leaves the log unchanged, also its other records."""
    log = no_records().extended(_log(), 2_000)
    before = parts(log.catalog)
    good = Pause(sequence=10, effective_at=3_000, flow="f0")
    wrong = Stop(sequence=11, effective_at=4_000, flow="unknown")

    with pytest.raises(InvalidLog, match="never published"):
        log.extended([good, wrong], 9_000)
    assert parts(log.catalog) == before
    assert log.extended([good], 9_000).catalog.epochs[-1].paused == {0}


def test_what_did_not_change_is_shared() -> None:
    """A pause makes no other plans or views; publishing a flow makes one plan."""
    log = no_records().extended(_log(), 2_000)
    old = log.catalog.epochs[-1]
    paused = log.extended([Pause(sequence=10, effective_at=3_000, flow="f0")], 2_500)
    new = paused.catalog.epochs[-1]

    assert new.by_id["f1"] is old.by_id["f1"]
    assert new.by_id["f0"].plan is old.by_id["f0"].plan
    assert new.with_dates is old.with_dates
    text = FLOW.replace("NAME", "f0").replace("1h", "2h")
    version = Publish(sequence=11, effective_at=4_000, flow="f0", version=2, text=text)
    published = paused.extended([version], 2_600).catalog
    assert {number for number, _ in published.plans} == {0, 1, 2}
    assert published.plans[0, 1] is log.catalog.plans[0, 1]
    assert published.epochs[-1].by_id["f2"] is old.by_id["f2"]


def test_texts_that_wait_are_compiled_once() -> None:
    """A version that is not in effect yet is not compiled again with each further record."""
    text = FLOW.replace("NAME", "f0").replace("1h", "2h")
    version = Publish(sequence=10, effective_at=DAY, flow="f0", version=2, text=text)
    log = no_records().extended(_log(), 2_000).extended([version], 3_000)
    more = log.extended([Pause(sequence=11, effective_at=4_000, flow="f1")], 3_500)
    settled = more.completed(2 * DAY).extended(
        [Resume(sequence=12, effective_at=3 * DAY, flow="f1")], 2 * DAY
    )

    assert more.catalog.plans[0, 2] is log.catalog.plans[0, 2]
    assert settled.catalog.plans[0, 2] is log.catalog.plans[0, 2]
