"""Rows of a run become facts that compare with the oracle's."""

from __future__ import annotations

import msgspec
import pytest

from tests.sample.rows import NotUnique, facts
from transforms.flows.protocol import outputs

SESSION = {"user": "u", "at": 5, "flow": "f", "version": 1, "session": "s"}


def moved(what, step="x", **more):
    """Return a transition's row."""
    base = SESSION | {"id": what, "step": step, "key": "", "visit": 1, "cause": "c"}
    return msgspec.to_builtins(outputs.Transition(**base, what=what, **more))


def test_transitions():
    """Entries, arrivals and ends are distinguished; other transitions are ignored."""
    rows = [moved("entered", silent=True), moved("reached"), moved("waiting"), moved("ended", reason="goal")]  # fmt: skip

    assert facts(rows) == {
        "entered": {("f", "u", 5, True)},
        "reached": {("f", "u", 5, "x")},
        "ended": {("f", "u", 5, "goal")},
    }


def test_money_is_exact():
    """A conversion's value becomes cents without a rounding error."""
    row = outputs.Conversion(
        **SESSION, id="i", step="x", goal="g", value=20.29, entered=1, cause="c",
        steps=(), variants=(), silent=False,
    )  # fmt: skip

    assert facts([msgspec.to_builtins(row)])["converted"] == {("f", "u", 5, 2029)}


def test_refusals():
    """A rejection is a fact with its reason."""
    row = outputs.Rejection(id="i", user="u", at=5, reason="entry_limit", cause="c", flow="f")

    assert facts([msgspec.to_builtins(row)])["refused"] == {("f", "u", 5, "entry_limit")}


def test_duplicate_rows_are_an_error():
    """Two equal rows are an error, since a set would hide one."""
    with pytest.raises(NotUnique, match="reached"):
        facts([moved("reached"), moved("reached")])
