"""Outputs to topics and flow states to Redis, a bundle at a time; a bundle ends when they are out.

A bundle that fails is done again by the runner, with the same ids and bytes (R31).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

import apache_beam as beam

from schemas.wire import Encoding
from transforms.flows import outputs
from transforms.flows.outputs import AnyOutput, Emitted, FlowState, HandoverOut
from transforms.messages import TopicMessage, to_event, to_message
from transforms.run_flows import Key
from transforms.sinks.pubsub import Outgoing, Publisher
from transforms.sinks.redis import BATCH, FlowStates, open_states

LOOPED = frozenset(("emitted", "handover"))
"""Kinds that go to the events topic, as records of the envelope."""


@beam.typehints.with_input_types(tuple[Key, bytes])
class Publish(beam.DoFn):
    """Publish outputs to the topic of their kind, in order by user."""

    def __init__(self, topics: Mapping[str, str], encoding: Encoding = "json") -> None:
        self._topics = dict(topics)
        self._encoding = encoding
        self._publisher: Publisher | None = None

    def start_bundle(self) -> None:
        self._publisher = _take()

    def process(self, element: tuple[Key, bytes]) -> None:
        (space, _), encoded = element
        output = outputs.decode(encoded)
        assert self._publisher is not None
        self._publisher.add(outgoing(space, output, self._topics, self._encoding))

    def finish_bundle(self) -> None:
        assert self._publisher is not None
        self._publisher.flush()
        # Only one that holds nothing back: what a failed bundle left must not leave with another.
        _idle().append(self._publisher)
        self._publisher = None


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


def outgoing(
    space: str, output: AnyOutput, topics: Mapping[str, str], encoding: Encoding
) -> Outgoing:
    """Encode an output for its topic."""
    kind = str(output.__struct_config__.tag)
    message: TopicMessage
    if isinstance(output, Emitted | HandoverOut):
        message = to_event(space, output, encoding)
    else:
        message = to_message(space, output, encoding)
    return Outgoing(
        topic=topics[kind],
        id=output.id,
        kind=kind,
        schema=message.attributes["schema"],
        flow=getattr(output, "flow", None) or "",
        user=message.ordering_key,
        data=message.data,
    )


@beam.typehints.with_input_types(tuple[Key, bytes])
class WriteStates(beam.DoFn):
    """Write flow states to Redis in batches; each is absolute and guarded by its sequence."""

    def __init__(self, url: str, ttl: int | None = None) -> None:
        self._url = url
        self._ttl = ttl
        self._batch: list[tuple[str, FlowState]] = []

    def start_bundle(self) -> None:
        self._batch = []

    def process(self, element: tuple[Key, bytes]) -> None:
        (space, _), encoded = element
        state = outputs.decode(encoded)
        assert isinstance(state, FlowState)
        self._batch.append((space, state))
        if len(self._batch) >= BATCH:
            self._flush()

    def finish_bundle(self) -> None:
        self._flush()

    def _flush(self) -> None:
        _states(self._url, self._ttl).write(self._batch)
        self._batch = []


@cache
def _states(url: str, ttl: int | None) -> FlowStates:
    """Connect once in a process; the client may be shared by threads."""
    return open_states(url, ttl)
