"""DoFns that write outputs to topics and flow states to Redis; a bundle ends once they are written.

The runner retries a failed bundle with the same ids and bytes (R31). Each DoFn picks the outputs
for its sink, and emits dead letters for those that the sink rejects; a rejected dead letter is only
counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from schemas.wire import Encoding
from transforms.beam.count_metrics import beam_counts
from transforms.beam.elements import Decided
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import AnyOutput
from transforms.hosting import dead_letters, job_metrics, trouble
from transforms.hosting.counts import Counts
from transforms.sinks.checked import BadRow
from transforms.sinks.pubsub import Publisher, Topics
from transforms.wire.output_kinds import kind_of
from transforms.wire.rows import name_of

if TYPE_CHECKING:
    from transforms.sinks.redis import FlowStates

STATES = ("flow_state", "erased")
STATES_BATCH = 500
"""Flow states that are written together."""


def of_rejected(
    sink: str, found: Iterable[tuple[str, AnyOutput]], bad: Iterable[BadRow]
) -> Iterator[Decided]:
    """Make dead letters for the outputs that a sink rejected."""
    for space, letter in dead_letters.of_refused(sink, found, bad):
        yield (space, letter.user), [outputs.encode(letter)]


def counted(letters: Iterable[Decided], counts: Counts) -> Iterator[Decided]:
    """Count dead letters of a sink by reason."""
    for key, encoded in letters:
        counts.add_letters(encoded)
        yield key, encoded


def count_rejected(sink: str, space: str, number: int, counts: Counts) -> None:
    """Count and log outputs that a sink rejected; not all of them become dead letters."""
    counts.add(job_metrics.UNFIT_OUTPUTS, number, sink)
    trouble.report("unfit_output", space=space, detail=sink)


@beam.typehints.with_input_types(Decided)
@beam.typehints.with_output_types(Decided)
class Publish(beam.DoFn):
    """Publish outputs to the topics of their kinds, in order per user."""

    def __init__(
        self,
        topics: Mapping[str, str],
        encoding: Encoding = "json",
        timestamp_attribute: str | None = None,
    ) -> None:
        self._topics = dict(topics)
        self._encoding = encoding
        self._timestamp_attribute = timestamp_attribute
        self._publisher: Publisher | None = None
        self._sink: Topics | None = None
        self._counts = beam_counts()

    def start_bundle(self) -> None:
        self._publisher = _take()
        self._sink = Topics(
            self._topics, self._encoding, self._publisher, self._timestamp_attribute
        )

    def process(self, element: Decided) -> Iterator[Decided]:
        (space, _), encoded = element
        assert self._sink is not None
        found = [(space, outputs.decode(one)) for one in encoded if kind_of(one) in self._topics]
        wrote = self._sink.write(found)
        for _, output in found:
            self._counts.add(job_metrics.PUBLISHED, 1, name_of(output))
        if wrote.bad_rows:
            yield from counted(of_rejected("topics", found, wrote.bad), self._counts)
            count_rejected("topics", space, wrote.bad_rows, self._counts)

    def finish_bundle(self) -> None:
        assert self._sink is not None
        assert self._publisher is not None
        self._sink.flush()
        self._counts.add(job_metrics.PUBLISH_RETRIES, self._publisher.take_retries())
        self._counts.flush()
        # Not after an error: the rest of a failed bundle must not leave with another bundle.
        _idle().append(self._publisher)
        self._publisher = self._sink = None


_IDLE: dict[str | None, list[Publisher]] = {}


def _idle() -> list[Publisher]:
    """Return the connected, unused publishers: some runners set up a DoFn for each bundle."""
    return _IDLE.setdefault(os.environ.get("PUBSUB_EMULATOR_HOST"), [])


def _take() -> Publisher:
    try:
        return _idle().pop()
    except IndexError:
        publisher = Publisher()
        publisher.setup()
        return publisher


@beam.typehints.with_input_types(Decided)
@beam.typehints.with_output_types(Decided)
class WriteStates(beam.DoFn):
    """Write flow states to Redis in batches; a write is absolute and guarded by its sequence."""

    def __init__(self, url: str, ttl: int | None = None, epoch: int = 0) -> None:
        self._opened = (url, ttl, epoch)
        self._batch: list[tuple[str, AnyOutput]] = []
        self._at: Timestamp | None = None
        self._counts = beam_counts()

    def start_bundle(self) -> None:
        self._batch = []

    def process(
        self, element: Decided, at: Timestamp = beam.DoFn.TimestampParam
    ) -> Iterator[Decided]:
        (space, _), encoded = element
        self._batch += [(space, outputs.decode(one)) for one in encoded if kind_of(one) in STATES]
        self._at = at
        if len(self._batch) >= STATES_BATCH:
            yield from self._flush()

    def finish_bundle(self) -> Iterator[Any]:
        for letter in self._flush():
            yield WindowedValue(letter, self._at, (GlobalWindow(),))
        self._counts.flush()

    def _flush(self) -> list[Decided]:
        batch, self._batch = self._batch, []
        wrote = _states(*self._opened).write(batch)
        self._counts.add(job_metrics.STATES_WRITTEN, len(batch) - wrote.bad_rows)
        self._counts.add(job_metrics.STALE_WRITES, wrote.stale)
        if not wrote.bad_rows:
            return []
        count_rejected("redis", batch[0][0], wrote.bad_rows, self._counts)
        return list(counted(of_rejected("redis", batch, wrote.bad), self._counts))


@cache
def _states(url: str, ttl: int | None, epoch: int) -> FlowStates:
    """Connect once in a process; threads may share the client.

    Only this needs the package ``redis``: a job without Redis runs on workers without it.
    """
    from transforms.sinks.redis import open_states

    return open_states(url, ttl, epoch)
