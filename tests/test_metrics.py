"""Metrics are sums over output rows: in any order, in any parts, the same numbers."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from transforms.flows.protocol.outputs import (
    AnyOutput,
    Call,
    Cancel,
    Communication,
    Conversion,
    Message,
    Rejection,
    Transition,
)
from transforms.metrics import (
    VERSION,
    Counts,
    FlowMetric,
    StepMetric,
    add,
    decode,
    encode,
    merge,
    money,
    rows,
)

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
RELEASED = Path(__file__).parent / "beam" / "released_counts"
Make = Callable[..., AnyOutput]


def of(kind: type[AnyOutput], /, **values: Any) -> AnyOutput:
    base = {"id": "i", "user": "u1", "at": 0}
    session = {"flow": "winback", "version": 2, "session": "s", "step": "remind"}
    known = set(kind.__struct_fields__)
    return kind(**{k: v for k, v in (base | session | values).items() if k in known})


def moved(what: str, **values: Any) -> AnyOutput:
    return of(Transition, what=what, key="", visit=1, cause="c", **values)


def communication(status: str, **values: Any) -> AnyOutput:
    plain = {"communication": "m", "channel": "email", "template": "t"}
    return of(Communication, status=status, **plain, **values)


def message(**values: Any) -> AnyOutput:
    plain = {"communication": "m", "channel": "email", "address": "a", "template": "t"}
    return of(Message, template_version="1", data={}, **plain, **values)


def conversion(**values: Any) -> AnyOutput:
    plain = {"goal": "bought", "entered": 0, "cause": "c", "variants": ()}
    return of(
        Conversion, **({"value": 1.0, "steps": ("remind",), "silent": False} | plain | values)
    )


def counted(*given: AnyOutput) -> Counts:
    counts: Counts = {}
    for row in given:
        add(counts, row)
    return counts


def numbers(*given: AnyOutput, window: str = "day") -> dict[tuple[str, ...], float]:
    """Return each metric of a window by step (if any), metric and reason (if any)."""
    found: dict[tuple[str, ...], float] = {}
    for row in rows(counted(*given)):
        if row.window == window:
            step = (row.step,) if isinstance(row, StepMetric) else ()
            found[(*step, row.metric, *filter(None, [row.reason]))] = row.value
    return found


def test_arrivals_are_counted_in_total_and_once_per_user() -> None:
    """Total engagements are arrivals; unique ones are rows with ``first_arrival`` (R25)."""
    given = [
        moved("reached", first_arrival=True), moved("reached"), moved("waiting"),
        moved("left", since=-1500),
    ]  # fmt: skip
    assert numbers(*given) == {
        ("remind", "arrivals"): 2,
        ("remind", "first_arrivals"): 1,
        ("remind", "left"): 1,
        ("remind", "time_in_step"): 1500,
    }


def test_a_flow_counts_entries_exits_and_refusals_by_reason() -> None:
    """Entries, ends and refusals are counted by reason; an end without one is complete."""
    refused = of(Rejection, reason="entry_limit", cause="c", flow="winback")
    given = [moved("entered"), moved("ended"), moved("ended", reason="goal"), refused, refused]

    assert numbers(*given) == {
        ("entries",): 1,
        ("exits", "completed"): 1,
        ("exits", "goal"): 1,
        ("refusals", "entry_limit"): 2,
    }


def test_a_refusal_outside_of_flows_has_no_flow() -> None:
    """A signal that is refused as a whole counts for no flow and no version."""
    (row, *_) = rows(counted(of(Rejection, reason="too_old", cause="c", flow=None)))

    assert row == FlowMetric("minute", 0, "", None, "refusals", "too_old", 1.0)


def test_messages_count_for_step_and_flow() -> None:
    """Three messages to two users are three messages."""
    given = [message(user="u1"), message(user="u1", at=DAY - 1), message(user="u2")]

    assert numbers(*given) == {
        ("remind", "messages"): 3,
        ("messages",): 3,
    }


def test_api_calls_are_messages() -> None:
    """A request to an API counts as a message, code does not (R25, I25)."""
    given = [
        of(Call, kind="api", target="/a", inputs={}), of(Call, kind="api", target="/a", inputs={}),
        of(Call, kind="code", target="1f", inputs={}), message(),
    ]  # fmt: skip
    assert numbers(*given) == {
        ("remind", "calls", "api"): 2,
        ("remind", "calls", "code"): 1,
        ("remind", "messages"): 3,
        ("messages",): 3,
    }


def test_suppressed_messages_count_by_reason_and_sent_ones_by_status() -> None:
    """A suppressed communication counts by its reason; others count by status."""
    given = [
        communication("planned"), communication("active"), communication("opened"),
        communication("skipped", reason="capped"), communication("expired", reason="expired"),
        communication("canceled", reason="session_ended"), communication("delivered", parts=2),
    ]  # fmt: skip
    assert numbers(*given) == {
        ("remind", "opened"): 1,
        ("remind", "delivered"): 1,
        ("remind", "parts"): 2,
        ("parts",): 2,
        ("remind", "suppressed", "capped"): 1,
        ("remind", "suppressed", "expired"): 1,
        ("remind", "suppressed", "session_ended"): 1,
    }


def test_money_is_summed_exactly() -> None:
    """Ten times ten cents are exactly one; the same applies to cost."""
    given = [conversion(value=0.1)] * 10 + [communication("sent", cost=0.1)] * 3
    found = numbers(*given)

    assert found["revenue", "bought"] == found["remind", "revenue", "bought"] == 1.0
    assert found["cost",] == found["remind", "cost"] == 0.3
    assert found["goals", "bought"] == found["remind", "conversions", "bought"] == 10


@pytest.mark.parametrize(
    ("value", "units"),
    [(11.77, 117_700), (0.00005, 0), (0.00015, 2), (-2.5, -25_000), (1e12, 10**16),
     (float("nan"), 0), (float("inf"), 0)],
)  # fmt: skip
def test_amounts_are_rounded_to_four_decimals(value: float, units: int) -> None:
    """Amounts round half to even at the fourth decimal, as written, not as stored."""
    assert money(value) == units


def test_a_conversion_counts_once_a_step_reached() -> None:
    """A goal is credited to each step that the session had reached, and once to the flow (R24)."""
    found = numbers(conversion(steps=("a", "b", "a"), value=None))

    assert found == {
        ("a", "conversions", "bought"): 1,
        ("b", "conversions", "bought"): 1,
        ("goals", "bought"): 1,
    }


def test_first_conversions_are_users() -> None:
    """Of two conversions of a user one is the first; the sum of the flags is the users (R24)."""
    found = numbers(conversion(value=None, first_conversion=True), conversion(value=None))

    assert found == {
        ("remind", "conversions", "bought"): 2,
        ("remind", "first_conversions", "bought"): 1,
        ("goals", "bought"): 2,
        ("first_goals", "bought"): 1,
    }


def test_the_holdout_is_counted_separately() -> None:
    """Silent sessions are counted separately, so that lift can be computed (R19)."""
    silent = [
        moved("entered", silent=True), moved("reached", silent=True), moved("ended", silent=True),
        conversion(silent=True),
    ]  # fmt: skip
    found = numbers(*silent)

    assert found
    assert all(any(part.startswith("holdout_") for part in key) for key in found)


def test_other_outputs_have_no_metric() -> None:
    """A kind that no metric reads changes nothing."""
    assert rows(counted(of(Cancel, communication="m", reason="r"))) == []


def test_windows_are_half_open_and_by_the_time_of_the_row() -> None:
    """A row at the first instant of a minute, hour or day belongs to the new one (R2)."""
    found = rows(counted(*(moved("reached", at=at) for at in (0, HOUR - 1, HOUR, DAY))))

    assert [(row.window, row.start, row.value) for row in found] == [
        ("minute", 0, 1), ("minute", HOUR - MINUTE, 1), ("minute", HOUR, 1), ("minute", DAY, 1),
        ("hour", 0, 2), ("hour", HOUR, 1), ("hour", DAY, 1),
        ("day", 0, 3), ("day", DAY, 1),
    ]  # fmt: skip


def history(seed: int) -> list[AnyOutput]:
    draw = random.Random(seed)
    makers: list[Make] = [
        lambda **v: moved("entered", **v),
        lambda **v: moved("reached", first_arrival=draw.random() < 0.5, **v),
        lambda **v: moved("ended", reason=draw.choice([None, "goal"]), **v),
        lambda **v: communication("skipped", reason="capped", **v),
        lambda **v: conversion(
            value=draw.randrange(10_000) / 100, first_conversion=draw.random() < 0.5, **v
        ),
        message,
    ]
    return [
        draw.choice(makers)(
            at=draw.randrange(3 * DAY), user=f"u{draw.randrange(5)}", version=draw.randrange(1, 3)
        )
        for _ in range(200)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_order_and_parts_do_not_matter(seed: int) -> None:
    """Counted in another order, in parts that are merged in another order, it is the same (R25)."""
    given = history(seed)
    whole = rows(counted(*given))
    draw = random.Random(seed)
    draw.shuffle(given)
    cut = sorted(draw.randrange(len(given)) for _ in range(3))
    parts = [given[a:b] for a, b in zip([0, *cut], [*cut, None], strict=True)]
    a, b, c, d = (counted(*part) for part in parts)

    assert rows(merge([merge([a, b]), c, d])) == rows(merge([d, merge([c, b, a])])) == whole


def test_merging_changes_neither_part() -> None:
    """Parts can be merged again elsewhere: they are not changed."""
    a, b = counted(message(user="u1")), counted(message(user="u2"))
    before = rows(a), rows(b)
    merge([a, b])

    assert (rows(a), rows(b)) == before


def test_counts_of_every_release_can_be_read() -> None:
    """The counts that a runner kept before an update of the job have the same numbers after it."""
    known = {1: counted(*history(1))}
    for version, counts in known.items():
        stored = (RELEASED / f"{version}.msgpack").read_bytes()
        assert decode(stored) == counts
    assert encode(known[VERSION]) == (RELEASED / f"{VERSION}.msgpack").read_bytes()


def test_counts_of_a_newer_release_are_refused() -> None:
    """A job that is rolled back does not read counts that it cannot know."""
    stored = msgspec.msgpack.encode([VERSION + 1, []])
    with pytest.raises(ValueError, match=f"counts of version {VERSION + 1}"):
        decode(stored)
