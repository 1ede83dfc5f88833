"""The streaming job: from a subscription through the core to topics, Redis and tables.

    python -m pipelines.stream --runner DataflowRunner --subscription … --control …

Every step is named for good: a runner finds a user's state by the names (``--update``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.transforms import trigger
from apache_beam.transforms.window import FixedWindows
from apache_beam.utils.timestamp import Duration

from pipelines.counting import COUNTED, LATENESS, CountWindows, paced
from pipelines.stream_options import (
    TO_TABLES,
    Sinks,
    StreamOptions,
    control_of,
    sinks_of,
    stream_options,
)
from transforms.catalogs import Catalogs, FollowedLogs
from transforms.run_flows import KINDS, Key, RunFlows, Settings
from transforms.sinks.bundles import Publish, WriteStates
from transforms.sinks.folders import Table
from transforms.sinks.windows import WriteManifest, WriteRows
from transforms.sources.pubsub import read_pubsub
from transforms.sources.pubsub_hand import Settings as Subscription
from transforms.sources.receive import BAD, Receive

LONGEST_LATENESS = 31 * 86_400
"""Seconds: as long as a subscription keeps messages. No row of the raw tables is left out."""


class _Kind(msgspec.Struct, frozen=True, gc=False, rename={"kind": "is"}):
    """What is read of an encoded output to know its kind."""

    kind: str


_read_kind = msgspec.msgpack.Decoder(_Kind).decode

Outputs = dict[str, Any]
"""A collection of ``(key, encoded output)`` for each kind."""


class RunStream(beam.PTransform):
    """Messages of the events topic, stamped with their receipts, to outputs by kind."""

    def __init__(self, catalogs: Catalogs, space: str, settings: Settings) -> None:
        super().__init__()
        self._catalogs, self._space, self._settings = catalogs, space, settings

    def expand(self, messages: Any) -> Outputs:
        received = messages | "Decode and key" >> beam.ParDo(
            Receive(self._catalogs, self._space)
        ).with_outputs(BAD, main="signals")
        run = RunFlows(self._catalogs, self._settings)
        decided = received.signals | "Run flows" >> beam.ParDo(run).with_outputs(*KINDS)
        outs: Outputs = {kind: decided[kind] for kind in KINDS}
        letters = (outs["dead_letter"], received[BAD])
        outs["dead_letter"] = letters | "All dead letters" >> beam.Flatten()
        return outs


class WriteOutputs(beam.PTransform):
    """Outputs to wherever they go, each sink on a branch of its own."""

    def __init__(self, sinks: Sinks, lateness: int = LATENESS) -> None:
        super().__init__()
        self._sinks, self._lateness = sinks, lateness

    def expand(self, outs: Outputs) -> None:
        sinks = self._sinks
        if sinks.topics:
            published = [outs[kind] for kind in KINDS if kind in sinks.topics]
            publish = beam.ParDo(Publish(sinks.topics, sinks.encoding))
            _ = published | "For topics" >> beam.Flatten() | "Publish" >> publish
        if sinks.redis:
            _ = outs["flow_state"] | "Write states" >> beam.ParDo(WriteStates(sinks.redis))
        if sinks.tables:
            kept = [outs[kind] for kind in TO_TABLES] | "Rows to keep" >> beam.Flatten()
            _ = kept | "Tables" >> WriteTables(sinks.tables, sinks.window, sinks.pace)
            counted = [outs[kind] for kind in COUNTED] | "Counted rows" >> beam.Flatten()
            _ = counted | "Numbers" >> CountWindows(sinks.tables, self._lateness, sinks.pace)


class WriteTables(beam.PTransform):
    """Rows into Parquet files by window, and then into the manifests of their tables."""

    def __init__(self, out: str, window: int, pace: int | None) -> None:
        super().__init__()
        self._out, self._window, self._pace = out, window, pace

    def expand(self, rows: Any) -> None:
        table = beam.Map(table_of).with_output_types(tuple[Table, bytes])
        windows = beam.WindowInto(
            FixedWindows(self._window),
            trigger=paced(self._pace, early=False),
            accumulation_mode=trigger.AccumulationMode.DISCARDING,
            allowed_lateness=Duration(LONGEST_LATENESS),
        )
        _ = (
            rows
            | "By table" >> table
            | "Windows of a file" >> windows
            | "Rows of a file" >> beam.GroupByKey()
            | "Write rows" >> beam.ParDo(WriteRows(self._out))
            | "Files of a table" >> beam.GroupByKey()
            | "List files" >> beam.ParDo(WriteManifest(self._out))
        )


def table_of(element: tuple[Key, bytes]) -> tuple[Table, bytes]:
    """Key a row by its space and kind, which stands at its beginning."""
    (space, _), encoded = element
    return (space, kind_of(encoded)), encoded


def kind_of(encoded: bytes) -> str:
    """Read the kind of an encoded output."""
    return _read_kind(encoded).kind


def build(
    messages: Any,
    catalogs: Catalogs,
    sinks: Sinks,
    *,
    space: str = "default",
    settings: Settings | None = None,
    lateness: int = LATENESS,
) -> Outputs:
    """Put the job behind a collection of received messages; gives its outputs by kind."""
    outs: Outputs = messages | "Flows" >> RunStream(catalogs, space, settings or Settings())
    _ = outs | "Outputs" >> WriteOutputs(sinks, lateness)
    return outs


def run(words: Sequence[str]) -> int:
    """Run the job until it is stopped."""
    options = stream_options(words)
    asked = options.view_as(StreamOptions)
    wrong = _problems(asked, options.view_as(StandardOptions).runner)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 2
    subscription = Subscription(
        subscription=asked.subscription,
        timestamp_attribute=asked.timestamp_attribute,
        readers=asked.readers,
    )
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


def _problems(asked: Any, runner: str | None) -> list[str]:
    found = []
    if not asked.subscription:
        found.append("--subscription is missing: projects/P/subscriptions/S")
    if not asked.control:
        found.append("--control is missing: where the control log is")
    if runner is None:
        found.append("--runner is missing: DataflowRunner, or PrismRunner for a try")
    try:
        control_of(asked.control, asked.space)
    except argparse.ArgumentTypeError as error:
        found.append(str(error))
    return found


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
