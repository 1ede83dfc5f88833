"""Parts and cost are added to the rows of sent messages; other outputs are unchanged."""

from __future__ import annotations

import pytest

from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Done, fold
from transforms.flows.protocol.outputs import AnyOutput, Communication
from transforms.flows.protocol.signals import Event, ProfileChange

FLOW = """
flow: telling
enter: [{event: Told}]
steps:
  tell: {send: sms, template: note}
"""
PLAIN = "{space: test, channels: {sms: {parts: one}}}"
COUNTED = "{space: test, channels: {sms: {price: 0.1}}}"
UNPRICED = "{space: test, channels: {sms: {}, email: {price: 0.001}}}"


def decided(space: str, note: str) -> tuple[tuple[AnyOutput, ...], tuple[AnyOutput, ...]]:
    """Return the core's outputs before and after a host adds the cost."""
    catalog = catalog_of(records_of({"telling": FLOW}, space, {"telling": {"note": note}}))
    known = ProfileChange(id="1", user="kim", time=1, set={"phone": "+49151"})
    done = fold(catalog, None, [known, Event(id="2", user="kim", time=2, name="Told")])
    assert isinstance(done, Done)
    return done.outputs, accounted(catalog, done.outputs)


def test_without_prices_outputs_are_unchanged() -> None:
    """R25: if no channel counts parts or has a price, the outputs are unchanged."""
    before, after = decided(PLAIN, "Hello")

    assert after is before


@pytest.mark.parametrize(
    ("space", "note", "worth"),
    [
        (COUNTED, "Hello", (1, 0.1)),
        (COUNTED, "Hello " * 30, (2, 0.2)),
        (COUNTED, "a" * 160 + "\n", (1, 0.1)),
        (UNPRICED, "Hello " * 30, (2, None)),
        (COUNTED, "{% for i in (1..99999999) %}x{% endfor %}", (None, None)),
    ],
    ids=["one", "two", "line end", "unpriced", "cannot be rendered"],
)
def test_a_sent_message_has_parts_and_cost(
    space: str, note: str, worth: tuple[object, object]
) -> None:
    """I25, I26: the row with status active has parts and cost; both are None without a text."""
    before, after = decided(space, note)
    rows = [row for row in after if isinstance(row, Communication)]

    assert [(row.parts, row.cost) for row in rows] == [worth]
    assert [o for o in after if o not in rows] == [
        o for o in before if not isinstance(o, Communication)
    ]
