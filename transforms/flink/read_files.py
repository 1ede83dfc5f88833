"""A folder of files as records of the Flink job, as a topic's: for a cluster without a broker.

One instance reads, in the order of the files' names; Flink's own file source takes files in any order,
so no watermark could follow them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.table import Schema

from transforms.hosting.receive import HEARTBEAT, KIND
from transforms.hosting.settings import system_clock
from transforms.sources.files.monitored import Line, Monitored, Progress, decode, encode

AHEAD = 10_000
"""How far a time in a file may be ahead of the clock of this machine, in ms."""
STATE = "files"
"""The name of the state: savepoints find it by this."""

LINE = Types.ROW_NAMED(
    ["body", "headers", "at", "part", "place"],
    [
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.MAP(Types.STRING(), Types.PRIMITIVE_ARRAY(Types.BYTE())),
        Types.LONG(),
        Types.STRING(),
        Types.LONG(),
    ],
)


def line_schema() -> Schema:
    """Return the columns of lines; the watermark is the newest ingestion time."""
    made = Schema.new_builder()
    for column, kind in (
        ("body", "BYTES"), ("headers", "MAP<STRING, BYTES>"), ("at", "BIGINT"), ("part", "STRING"),
        ("place", "BIGINT"),
    ):  # fmt: skip
        made.column(column, kind)
    made.column_by_expression("received", "TO_TIMESTAMP_LTZ(`at`, 3)")
    return made.watermark("received", "received").build()


def lines_of(table: str) -> str:
    """Return the query of the lines' records, in the form of those of a topic."""
    return f"SELECT body, headers, `at`, part, place FROM {table}"


def one_key(tick: Any) -> int:
    """Return the key of all ticks: state needs one."""
    return 0


class ReadFiles(KeyedProcessFunction):
    """Read a folder's new lines at each tick, some at once; more with timers of the clock."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def open(self, runtime_context: Any) -> None:
        self._state = runtime_context.get_state(
            ValueStateDescriptor(STATE, Types.PICKLED_BYTE_ARRAY())
        )
        self._files = Monitored(Path(self._folder), lambda: system_clock() + AHEAD)
        self._reading = False

    def process_element(self, value: Any, ctx: Any) -> Iterable[Row]:
        """Look for new files, unless some are being read."""
        return () if self._reading else self._read(ctx.timer_service())

    def on_timer(self, timestamp: int, ctx: Any) -> Iterable[Row]:
        """Read on."""
        return self._read(ctx.timer_service())

    def _read(self, timers: Any) -> Iterable[Row]:
        kept = self._state.value()
        before = Progress() if kept is None else decode(kept)
        found, progress = self._files.read(before)
        if progress != before:
            self._state.update(encode(progress))
        self._reading = bool(found)
        if found:
            timers.register_processing_time_timer(timers.current_processing_time() + 1)
        return [_row(line) for line in found]


def _row(line: Line) -> Row:
    headers = {KIND: HEARTBEAT.encode()} if line.heartbeat else {}
    return Row(line.body, headers, line.at, line.file, line.number)
