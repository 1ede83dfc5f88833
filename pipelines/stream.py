"""The streaming job: from a subscription through the core to topics, Redis and tables.

    python -m pipelines.stream --runner DataflowRunner --subscription … --control …

Every step is named for good: a runner finds a user's state by the names (``--update``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.transforms import trigger
from apache_beam.transforms.window import FixedWindows, GlobalWindows
from apache_beam.utils.timestamp import Duration

from pipelines.stream_options import (
    TO_TABLES,
    Sinks,
    StreamOptions,
    control_of,
    problems_of,
    sinks_of,
    stream_options,
    subscription_of,
)
from transforms.beam.bundles import Publish, WriteStates
from transforms.beam.elements import BAD, Decided
from transforms.beam.receive import Receive
from transforms.beam.run_flows import RunFlows
from transforms.beam.window_counts import COUNTED, LATENESS, CountWindows, paced
from transforms.beam.write_tables import WriteManifest, WriteRows
from transforms.hosting.catalogs import Catalogs, FollowedLogs
from transforms.hosting.receive import Key
from transforms.hosting.run import Settings
from transforms.sinks.folders import Table
from transforms.sources.pubsub.beam_source import read_pubsub
from transforms.wire.messages import kind_of

LONGEST_LATENESS = 100 * 366 * 86_400
"""Seconds: a receipt is data, and may be years old. No row of the raw tables is left out."""


class RunStream(beam.PTransform):
    """Messages of the events topic, stamped with their receipts, to what each step decided."""

    def __init__(
        self, catalogs: Catalogs, space: str, settings: Settings, joins: bool = True
    ) -> None:
        super().__init__()
        self._catalogs, self._space, self._settings = catalogs, space, settings
        self._joins = joins

    def expand(self, messages: Any) -> Any:
        received = messages | "Decode and key" >> beam.ParDo(
            Receive(self._catalogs, self._space, self._joins)
        ).with_outputs(BAD, main="signals")
        run = RunFlows(self._catalogs, self._settings)
        decided = received.signals | "Run flows" >> beam.ParDo(run)
        return (decided, received[BAD]) | "With dead letters" >> beam.Flatten()


class WriteOutputs(beam.PTransform):
    """Outputs to wherever they go, each sink on a branch of its own.

    What a sink leaves out becomes a dead letter on the topic of those, and one of topics and
    Redis is in the table too. Nothing comes back to a step that it came from: no loop.
    """

    def __init__(self, sinks: Sinks, lateness: int = LATENESS) -> None:
        super().__init__()
        self._sinks, self._lateness = sinks, lateness

    def expand(self, decided: Any) -> None:
        sinks = self._sinks
        letters = []
        if sinks.topics:
            publish = beam.ParDo(Publish(sinks.topics, sinks.encoding))
            letters.append(decided | "Publish" >> publish)
        if sinks.redis:
            letters.append(decided | "Write states" >> beam.ParDo(WriteStates(sinks.redis)))
        if sinks.tables:
            kept = (decided, *letters) | "With letters of sinks" >> beam.Flatten()
            table = WriteTables(sinks.tables, sinks.window, sinks.pace)
            letters.append(kept | "Tables" >> table)
            rows = beam.FlatMap(counted_rows).with_output_types(tuple[Key, bytes])
            count = CountWindows(sinks.tables, self._lateness, sinks.pace)
            _ = decided | "Counted rows" >> rows | "Numbers" >> count
        topics = {kind: topic for kind, topic in sinks.topics.items() if kind == "dead_letter"}
        if topics and letters:
            publish = beam.ParDo(Publish(topics, sinks.encoding))
            _ = letters | "Letters of sinks" >> beam.Flatten() | "Publish letters" >> publish


class WriteTables(beam.PTransform):
    """Rows into Parquet files by window, and then into the manifests of their tables.

    Gives dead letters for rows that do not fit.
    """

    def __init__(self, out: str, window: int, pace: int | None) -> None:
        super().__init__()
        self._out, self._window, self._pace = out, window, pace

    def expand(self, decided: Any) -> Any:
        rows = beam.FlatMap(rows_of_tables).with_output_types(tuple[Table, bytes])
        windows = beam.WindowInto(
            FixedWindows(self._window),
            trigger=paced(self._pace, early=False),
            accumulation_mode=trigger.AccumulationMode.DISCARDING,
            allowed_lateness=Duration(LONGEST_LATENESS),
        )
        write = beam.ParDo(WriteRows(self._out))
        written = (
            decided
            | "By table" >> rows
            | "Windows of a file" >> windows
            | "Rows of a file" >> beam.GroupByKey()
            | "Write rows" >> write.with_outputs(BAD, main="parts")
        )
        _ = (
            written.parts
            | "Files of a table" >> beam.GroupByKey()
            | "List files" >> beam.ParDo(WriteManifest(self._out))
        )
        return written[BAD] | "In no window" >> beam.WindowInto(GlobalWindows())


def rows_of_tables(decided: Decided) -> Iterator[tuple[Table, bytes]]:
    """Key the rows of tables by space and kind."""
    (space, _), encoded = decided
    for row in encoded:
        kind = kind_of(row)
        if kind in TO_TABLES:
            yield (space, kind), row


def counted_rows(decided: Decided) -> Iterator[tuple[Key, bytes]]:
    """Choose the rows that numbers are counted from."""
    key, encoded = decided
    for row in encoded:
        if kind_of(row) in COUNTED:
            yield key, row


def build(
    messages: Any,
    catalogs: Catalogs,
    sinks: Sinks,
    *,
    space: str = "default",
    settings: Settings | None = None,
    lateness: int = LATENESS,
) -> Any:
    """Put the job behind a collection of received messages; gives what each step decided."""
    joins = "handover" in sinks.topics  # without a way back, what is handed over would be lost
    run_stream = RunStream(catalogs, space, settings or Settings(), joins)
    decided = messages | "Flows" >> run_stream
    _ = decided | "Outputs" >> WriteOutputs(sinks, lateness)
    return decided


def run(words: Sequence[str]) -> int:
    """Run the job until it is stopped; 2 if the words are wrong, and nothing is built then."""
    wrong = problems_of(words)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 2
    options = stream_options(words)
    asked = options.view_as(StreamOptions)
    subscription = subscription_of(asked)
    catalogs = FollowedLogs(control_of(asked.control, asked.space))
    with beam.Pipeline(options=options) as pipeline:
        messages = pipeline | "Read events" >> read_pubsub(subscription, options)
        build(
            messages,
            catalogs,
            sinks_of(asked),
            space=asked.space,
            settings=Settings(loose=asked.loose),
            lateness=asked.lateness,
        )
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
