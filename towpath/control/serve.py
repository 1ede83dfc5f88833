"""The controller: a loop over the log, the outputs, the decisions and the wakes of one space.

``tick`` is one round with the time as an argument. Whatever a round has done is durable before the
next thing is done on top of it, and has stable ids, so a controller that is killed goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from towpath.control.decide import Facts, OpenTest, decide, live_flows, open_tests
from towpath.control.decide_wakes import signal_of, wakes_of
from towpath.control.index import WAKES_OPEN, Index, Tally
from towpath.control.index_inputs import Input, Tables, take_all
from towpath.control.serve_signals import Signals, Unpublished
from towpath.control.store import Conflict, ControlStore, Held, Late
from transforms.flows.catalog.applied_log import no_records
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.catalog.log_state import InvalidLog
from transforms.flows.protocol.control_records import ControlRecord
from transforms.sources.control_log.log import LogError

Log = Callable[..., Any]
"""Writes one line about what happened: an event and its fields, without personal data."""

AUTHOR = "controller"
LOOK = 60_000
"""How often split tests are counted, in ms."""
CLEAN = 3_600_000
WAKES = 500
"""How many users a controller wakes per second."""
MOST_AT_ONCE = 10
"""How many seconds' wakes a round sends at most."""

NOTES = {
    "stop launch_over": "90 days after its launch",
    "stop idle": "no step reached for 90 days",
    "finish": "its last session has ended",
    "winner": "the test is sure",
}


class Controller:
    """The controller of one log, with its index, inputs and signals."""

    def __init__(
        self,
        store: ControlStore,
        index: Index,
        inputs: Callable[[str], Sequence[Input]],
        signals: Signals | None,
        log: Log,
        wakes_per_second: int = WAKES,
    ) -> None:
        self._store = store
        self._index = index
        self._open_inputs = inputs
        self._inputs: Sequence[Input] = ()
        self._signals = signals
        self._log = log
        self._wakes_per_second = wakes_per_second
        self._applied = no_records()
        self._space = ""
        self._read_at = -1
        self._looked_at = self._cleaned_at = 0
        self._tallies: dict[tuple[str, str], dict[str, Tally]] = {}
        self._last = 0

    def tick(self, clock: Callable[[], int]) -> None:
        """Run one round: read the log and the outputs, decide, wake."""
        held = self._read()
        catalog = None if held is None else self._known(held)
        if held is None or catalog is None or not held.records:
            return
        self._open(catalog, clock())
        self._take(clock())
        now = clock()  # reading may take long; a record must still be ahead of its time
        self._append(held, catalog, now)
        self._wake(held, catalog, now)
        if now - self._cleaned_at >= CLEAN:
            self._cleaned_at = now
            self._index.forget(now)
        self._last = now

    def status(self) -> dict[str, Any]:
        """Return what a line about the state of the controller says."""
        read_at = None if self._read_at < 0 else self._read_at
        open_wakes = len(self._index.wakes())
        return {"users": self._index.users(), "outputs_read_at": read_at, "wakes": open_wakes}

    def close(self) -> None:
        """Close the inputs and the signals."""
        for each in self._inputs:
            each.close()
        if self._signals is not None:
            self._signals.close()

    # --- the log -----------------------------------------------------------------------------

    def _read(self) -> Held | None:
        try:
            return self._store.read()
        except LogError as error:
            self._log("log_unreadable", level="error", detail=str(error))
            return None

    def _known(self, held: Held) -> Catalog | None:
        """Return the catalog of a log, built from what is new in it; None for an invalid log."""
        known = self._applied
        if len(known.catalog.records) > len(held.records):  # another log is at the address now
            known = no_records()
        new = held.records[len(known.catalog.records) :]
        try:
            self._applied = (
                known.extended(new, held.complete_until)
                if new
                else known.completed(max(held.complete_until, known.catalog.complete_until))
            )
        except InvalidLog as error:
            self._log("log_invalid", level="error", detail=str(error))
            return None
        return self._applied.catalog

    def _append(self, held: Held, catalog: Catalog, now: int) -> None:
        """Decide and append; another writer that was quicker makes the next round decide anew."""
        records = numbered(decide(catalog, self._facts(catalog, now), now), held, now)
        if not records:
            return
        try:
            self._applied.extended(records, held.complete_until)
            self._store.append(held, records)
        except (Conflict, Late) as error:
            self._log("not_appended", level="warning", detail=str(error))
        except (LogError, InvalidLog) as error:
            self._log("not_appended", level="error", detail=str(error))
        else:
            for record in records:
                self._log("appended", **said(record))

    def _facts(self, catalog: Catalog, now: int) -> Facts:
        index = self._index
        tests = open_tests(catalog, now)
        if now - self._looked_at >= LOOK or now < self._looked_at:
            self._looked_at = now
            self._tallies = {(test.flow, test.step): self._tally(test) for test in tests}
        return Facts(
            since=int(index.get("since") or now),
            read_at=self._read_at,
            activity={flow: index.activity_of(flow) for flow in live_flows(catalog, now)},
            tallies=self._tallies,
        )

    def _tally(self, test: OpenTest) -> dict[str, Tally]:
        return self._index.tallies_of(test.flow, test.version, test.step, test.winner.metric)

    # --- the outputs -------------------------------------------------------------------------

    def _open(self, catalog: Catalog, now: int) -> None:
        """Open the inputs and begin the index, once the log names the space."""
        if self._space:
            return
        space = catalog.epochs[-1].space.name
        self._inputs = self._open_inputs(space)
        whole = any(isinstance(each, Tables) for each in self._inputs)
        self._index.begin(space, 0 if whole else now)
        self._space, self._last = space, now

    def _take(self, now: int) -> None:
        took = take_all(self._inputs, self._index, now, self._unreadable)
        if took.bad:
            self._log("outputs_unreadable", level="error", count=took.bad)
        if took.all:
            self._read_at = now

    def _unreadable(self, error: Exception) -> None:
        self._log("outputs_unavailable", level="error", detail=str(error))

    # --- wakes -------------------------------------------------------------------------------

    def _wake(self, held: Held, catalog: Catalog, now: int) -> None:
        """Wake those whom a record concerns, once it has taken effect for every worker."""
        if self._signals is None:
            return
        until = min(now - catalog.at(now).space.slack, held.complete_until)
        after = self._index.get("woken")
        if after is None:
            self._index.add_wakes((), until)  # what was before this controller is no news
        elif wakes := wakes_of(catalog, int(after), until):
            self._index.add_wakes(wakes, until)
        self._send(now)

    def _send(self, now: int) -> None:
        """Send the wakes of this round, those in sessions first."""
        assert self._signals is not None
        seconds = min(max(now - self._last, 1_000), MOST_AT_ONCE * 1_000) / 1_000
        left = int(self._wakes_per_second * seconds)
        for wake, cursor in self._index.wakes():
            found = self._index.to_wake(wake, cursor, left) if left else []
            users = dict.fromkeys(user for _, user in found)
            signals = [signal_of(self._space, wake, user) for user in users]
            try:
                if signals:
                    self._signals.publish(self._space, signals)
            except Unpublished as error:
                self._log("not_published", level="error", detail=str(error))
                return
            left -= len(users)
            if found or now >= wake.at + WAKES_OPEN:
                self._index.woke(wake, found[-1][0] if found else cursor, now)
            if users:
                self._log("woke", flow=wake.flow, effective_at=wake.at, users=len(users))


def numbered(records: Sequence[ControlRecord], held: Held, now: int) -> tuple[ControlRecord, ...]:
    """Give records the next sequences of a log, and say who made them, when and why."""
    first = held.next_sequence
    return tuple(
        msgspec.structs.replace(
            record, sequence=first + n, by=AUTHOR, made_at=now, note=NOTES[_kind(record)]
        )
        for n, record in enumerate(records)
    )


def _kind(record: ControlRecord) -> str:
    """Name what a record of the controller does, as ``NOTES`` does."""
    words = (str(record.__struct_config__.tag), getattr(record, "reason", None))
    return " ".join(word for word in words if word)


def said(record: ControlRecord) -> dict[str, Any]:
    """Return the fields of a record for a line of the log."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    return {"record": fields.pop("is"), **fields}
