"""The streaming job: a subscription, the core, and topics, Redis and tables for the outputs.

    python -m pipelines.stream --runner DataflowRunner --subscription … --control …

Each subscription is decoded on its own, because each may bring other kinds of records (R9).

Step names must not change: on ``--update`` a runner finds the users' states by them
(``tests/beam/test_dataflow_graph.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from pipelines.stream_packages import missing

if __name__ == "__main__" and (found := missing(sys.argv[1:])):
    sys.exit(found)

import apache_beam as beam

from pipelines.option_words import HANDOVER, control_of
from pipelines.stream_options import (
    Sinks,
    StreamOptions,
    problems_of,
    sinks_of,
    stream_options,
    topics_read,
)
from transforms.beam.elements import BAD
from transforms.beam.receive import Receive
from transforms.beam.run_flows import RunFlows
from transforms.beam.stable_input import StableInput
from transforms.beam.window_counts import LATENESS, CountWindows, counted_rows
from transforms.beam.write_outputs import Publish, WriteStates
from transforms.beam.write_tables import WriteTables
from transforms.hosting.allowed import Source
from transforms.hosting.catalogs import Catalogs, FollowedLogs
from transforms.hosting.receive import ANY_SOURCE, Key
from transforms.hosting.settings import Settings
from transforms.sources.pubsub.beam_source import read_pubsub


class RunStream(beam.PTransform):
    """Messages of the events topic, stamped with their receipts, to the outputs of each step.

    With several sources, ``messages`` is a tuple with a collection for each.
    """

    def __init__(
        self,
        catalogs: Catalogs,
        space: str,
        settings: Settings,
        joins: bool = True,
        sources: Sequence[Source] = (ANY_SOURCE,),
    ) -> None:
        super().__init__()
        self._catalogs, self._space, self._settings = catalogs, space, settings
        self._joins, self._sources = joins, sources

    def expand(self, messages: Any) -> Any:
        each = messages if isinstance(messages, tuple) else (messages,)
        received = [
            self._receive(some, source, f" {n}" if n > 1 else "")
            for n, (some, source) in enumerate(zip(each, self._sources, strict=True), 1)
        ]
        signals = [one.signals for one in received]
        every = signals[0] if len(signals) == 1 else signals | "All sources" >> beam.Flatten()
        run = RunFlows(self._catalogs, self._settings)
        decided = every | "Run flows" >> beam.ParDo(run)
        bad = (one[BAD] for one in received)
        return (decided, *bad) | "With dead letters" >> beam.Flatten()

    def _receive(self, messages: Any, source: Source, number: str) -> Any:
        receive = Receive(self._catalogs, self._space, self._joins, source)
        made = beam.ParDo(receive).with_outputs(BAD, main="signals")
        return messages | f"Decode and key{number}" >> made


class WriteOutputs(beam.PTransform):
    """Write outputs to the sinks, each on its own branch.

    Outputs that a sink rejects become dead letters on their topic; those of topics and Redis are
    in the dead-letter table, too. Dead letters never return to the sink that rejected them.
    Topics and Redis may get outputs only once they are stored; the files of tables and numbers are
    made of groups, which are stored anyway.
    """

    def __init__(self, sinks: Sinks, lateness: int = LATENESS) -> None:
        super().__init__()
        self._sinks, self._lateness = sinks, lateness

    def expand(self, decided: Any) -> None:
        sinks = self._sinks
        letters = []
        stored = decided
        if sinks.stable and (sinks.topics or sinks.redis):
            stored = decided | "Stable input" >> StableInput()
        if sinks.topics:
            publish = beam.ParDo(Publish(sinks.topics, sinks.encoding, sinks.timestamp_attribute))
            letters.append(stored | "Publish" >> publish)
        if sinks.redis:
            write = beam.ParDo(WriteStates(sinks.redis, epoch=sinks.epoch))
            letters.append(stored | "Write states" >> write)
        if sinks.tables:
            kept = (decided, *letters) | "With letters of sinks" >> beam.Flatten()
            table = WriteTables(sinks.tables, sinks.file_rows, sinks.file_wait)
            letters.append(kept | "Tables" >> table)
            rows = beam.FlatMap(counted_rows).with_output_types(tuple[Key, bytes])
            count = CountWindows(sinks.tables, self._lateness, sinks.pace)
            _ = decided | "Counted rows" >> rows | "Numbers" >> count
        topics = {kind: topic for kind, topic in sinks.topics.items() if kind == "dead_letter"}
        if topics and letters:
            publish = beam.ParDo(Publish(topics, sinks.encoding))
            _ = letters | "Letters of sinks" >> beam.Flatten() | "Publish letters" >> publish


def build(
    messages: Any,
    catalogs: Catalogs,
    sinks: Sinks,
    *,
    space: str = "default",
    settings: Settings | None = None,
    lateness: int = LATENESS,
    sources: Sequence[Source] = (ANY_SOURCE,),
) -> Any:
    """Add the job to a collection of messages, or a tuple of one for each source; return the
    outputs of each step.
    """
    # Otherwise handovers would be lost: nothing would write them, or nothing would take them back.
    joins = HANDOVER in sinks.topics and any(HANDOVER in source.allow for source in sources)
    run_stream = RunStream(catalogs, space, settings or Settings(), joins, sources)
    decided = messages | "Flows" >> run_stream
    _ = decided | "Outputs" >> WriteOutputs(sinks, lateness)
    return decided


def run(words: Sequence[str]) -> int:
    """Run the job until it is stopped; return 2 if the options are invalid."""
    problems = problems_of(words)
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 2
    options = stream_options(words)
    given = options.view_as(StreamOptions)
    topics = topics_read(given)
    catalogs = FollowedLogs(control_of(given.control, given.space))
    with beam.Pipeline(options=options) as pipeline:
        messages = tuple(
            pipeline
            | f"Read events{f' {n}' if n > 1 else ''}" >> read_pubsub(topic.settings, options)
            for n, topic in enumerate(topics, 1)
        )
        build(
            messages,
            catalogs,
            sinks_of(given),
            space=given.space,
            settings=Settings(loose=given.loose),
            lateness=given.lateness,
            sources=[topic.source for topic in topics],
        )
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
