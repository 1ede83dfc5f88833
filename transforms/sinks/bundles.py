"""Outputs to topics and flow states to Redis, a bundle at a time; a bundle ends when they are out.

A bundle that fails is done again by the runner, with the same ids and bytes (R31).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

import apache_beam as beam
from apache_beam.metrics import Metrics

from schemas.wire import Encoding
from transforms.flows import outputs
from transforms.flows.outputs import AnyOutput
from transforms.run_flows import Key
from transforms.sinks.pubsub import Publisher, Topics
from transforms.sinks.redis import BATCH, FlowStates, open_states


@beam.typehints.with_input_types(tuple[Key, bytes])
class Publish(beam.DoFn):
    """Publish outputs to the topic of their kind, in order by user."""

    def __init__(self, topics: Mapping[str, str], encoding: Encoding = "json") -> None:
        self._topics = dict(topics)
        self._encoding = encoding
        self._publisher: Publisher | None = None
        self._sink: Topics | None = None
        self._bad = Metrics.counter("topics", "bad")

    def start_bundle(self) -> None:
        self._publisher = _take()
        self._sink = Topics(self._topics, self._encoding, self._publisher)

    def process(self, element: tuple[Key, bytes]) -> None:
        (space, _), encoded = element
        assert self._sink is not None
        wrote = self._sink.write([(space, outputs.decode(encoded))])
        if wrote.bad_rows:
            self._bad.inc(wrote.bad_rows)

    def finish_bundle(self) -> None:
        assert self._sink is not None
        assert self._publisher is not None
        self._sink.flush()
        # Only one that holds nothing back: what a failed bundle left must not leave with another.
        _idle().append(self._publisher)
        self._publisher = self._sink = None


_IDLE: dict[str | None, list[Publisher]] = {}


def _idle() -> list[Publisher]:
    """List the connected publishers between bundles: some runners set a DoFn up for each one."""
    return _IDLE.setdefault(os.environ.get("PUBSUB_EMULATOR_HOST"), [])


def _take() -> Publisher:
    try:
        return _idle().pop()
    except IndexError:
        publisher = Publisher()
        publisher.setup()
        return publisher


@beam.typehints.with_input_types(tuple[Key, bytes])
class WriteStates(beam.DoFn):
    """Write flow states to Redis in batches; each is absolute and guarded by its sequence."""

    def __init__(self, url: str, ttl: int | None = None) -> None:
        self._url = url
        self._ttl = ttl
        self._batch: list[tuple[str, AnyOutput]] = []
        self._bad = Metrics.counter("states", "bad")

    def start_bundle(self) -> None:
        self._batch = []

    def process(self, element: tuple[Key, bytes]) -> None:
        (space, _), encoded = element
        self._batch.append((space, outputs.decode(encoded)))
        if len(self._batch) >= BATCH:
            self._flush()

    def finish_bundle(self) -> None:
        self._flush()

    def _flush(self) -> None:
        wrote = _states(self._url, self._ttl).write(self._batch)
        if wrote.bad_rows:
            self._bad.inc(wrote.bad_rows)
        self._batch = []


@cache
def _states(url: str, ttl: int | None) -> FlowStates:
    """Connect once in a process; the client may be shared by threads."""
    return open_states(url, ttl)
