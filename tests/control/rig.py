"""A controller over a log in a file, tables in a folder and signals in memory, with a clock to set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.control.outputs_of import START
from towpath.control.file_store import FileStore
from towpath.control.index import KINDS, Index
from towpath.control.index_inputs import Input, Tables
from towpath.control.serve import Controller
from towpath.control.serve_signals import Unpublished
from towpath.control.store import AHEAD
from transforms.flows.protocol.control_records import ControlRecord
from transforms.flows.protocol.outputs import AnyOutput
from transforms.flows.protocol.signals import Command
from transforms.sinks import parquet
from transforms.sinks.part_files import add_parts
from transforms.wire.rows import name_of, to_row


class Kept:
    """Signals that were published; ``fails`` makes every publication fail."""

    def __init__(self) -> None:
        self.signals: list[Command] = []
        self.fails = False

    def publish(self, space: str, signals: Sequence[Command]) -> None:
        if self.fails:
            raise Unpublished("the topic does not answer")
        self.signals += signals

    def close(self) -> None:
        pass


def write_tables(folder: Path, outputs: Iterable[AnyOutput], shard: str) -> None:
    """Write outputs as the job's tables do: part files, then an addition to the manifest."""
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for output in outputs:
        if name_of(output) in rows:
            rows[name_of(output)].append(to_row(output))
    for kind, some in rows.items():
        if some:
            add_parts(kind, folder, parquet.write(kind, some, folder, shard=shard).parts)


class Rig:
    """Everything below one folder; a second rig on the same folder is a restarted controller."""

    def __init__(self, folder: Path, signals: Kept | None = None) -> None:
        self.now = START
        self.log = str(folder / "control.jsonl")
        self.tables = folder / "tables"
        self.signals = signals or Kept()
        self.lines: list[dict[str, Any]] = []
        self.store = FileStore(self.log)
        self.index = Index(folder / "index.db")
        self.controller = Controller(
            self.store, self.index, self._inputs, self.signals, self._line, wakes_per_second=100
        )

    def _inputs(self, space: str) -> Sequence[Input]:
        return [Tables(str(self.tables))]

    def _line(self, event: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})

    def append(self, *records: ControlRecord) -> None:
        """Append records with the next sequences."""
        held = self.store.read()
        first = held.next_sequence
        self.store.append(
            held,
            [msgspec.structs.replace(r, sequence=first + n) for n, r in enumerate(records)],
        )

    def tick(self, now: int) -> None:
        """Let the controller run one round at an instant, after a beat of its heart."""
        self.now = now
        self.store.complete(self.store.read(), now + AHEAD)
        self.controller.tick(lambda: self.now)

    def woken(self) -> list[str]:
        """Return the users of all wakes, in order."""
        return [signal.user for signal in self.signals.signals]

    def records(self) -> list[ControlRecord]:
        """Return the records of the log that the controller has made."""
        return [record for record in self.store.read().records if record.by == "controller"]
