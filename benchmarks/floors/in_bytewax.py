"""The same flow as a dataflow of bytewax, which keeps a state per user; and one that decides nothing.

Bytewax has timers by the clock only. So a user's timers fire with the next event, or at the end.
"""

from __future__ import annotations

from typing import Any

from bytewax import operators
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulLogic
from bytewax.testing import TestingSink, TestingSource, run_main

from benchmarks.floors.win_back import Row, User, buy, fire, new_user
from transforms.flows.protocol.signals import Event

BATCH = 1_000


class Deciding(StatefulLogic):  # type: ignore[misc]  # without types where it is not installed
    """One user of ``win_back``."""

    until = 0

    def __init__(self, state: User | None) -> None:
        self.state = state

    def on_item(self, event: Event) -> tuple[list[Row], bool]:
        state = self.state
        if state is None:
            state = self.state = new_user(event.user)
        rows = self._fire_until(state, event.time)
        rows += buy(state, event)
        return rows, StatefulLogic.RETAIN

    def on_eof(self) -> tuple[list[Row], bool]:
        assert self.state is not None
        return self._fire_until(self.state, self.until), StatefulLogic.DISCARD

    def _fire_until(self, state: User, time: int) -> list[Row]:
        rows: list[Row] = []
        while state["due"] is not None and state["due"] <= time:
            rows += fire(state)
        return rows

    def snapshot(self) -> User:
        return dict(self.state or {})


class Empty(StatefulLogic):  # type: ignore[misc]
    """A user that has a state, and no rows."""

    def __init__(self, state: int | None) -> None:
        self.state = state or 0

    def on_item(self, event: Event) -> tuple[list[Row], bool]:
        self.state = event.time
        return [], StatefulLogic.RETAIN

    def snapshot(self) -> int:
        return self.state


def run(events: list[Event], until: int, logic: type[Any] = Deciding) -> list[Row]:
    """Run a dataflow over events in the order of their times; return its rows."""
    Deciding.until = until
    out: list[tuple[str, Row]] = []
    flow = Dataflow("floor")
    found = operators.input("events", flow, TestingSource(events, BATCH))
    keyed = operators.key_on("user", found, lambda event: event.user)
    decided = operators.stateful("decide", keyed, logic)
    operators.output("rows", decided, TestingSink(out))
    run_main(flow)
    return [row for _, row in out]
