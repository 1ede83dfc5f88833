"""A history in a replay: as an audit in the order of arrival, and as a back-test (R3)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pipelines.replay.fold import fold_user
from pipelines.replay.job import Job
from pipelines.replay.order import in_order
from tests.kit.histories import History
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Done, step
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Signal, Time
from transforms.hosting.order import event_time
from transforms.hosting.sandbox import answer


def replay_differences(clean: History) -> Iterator[str]:
    """Yield how replays differ from the live run; replays omit what was erased (R32)."""
    arrived = [given.signal for given in clean.handled]
    live = _encoded_outputs(clean, clean.outputs)
    if _replayed(clean, arrived, audit=True) != live:
        yield "the audit replay differs"
    ordered = list(arrived_in_order(arrived))
    # The input may be in any order: a back-test sorts it.
    if _replayed(clean, ordered[::-1], audit=False) != _live(clean, ordered):
        yield "the back-test differs, although records arrived in order"


def arrived_in_order(signals: list[Signal]) -> Iterator[Signal]:
    """Omit late signals; the event and ingestion times of the others do not go back."""
    last = receipt = -1
    for signal in signals:
        assert not isinstance(signal, Time)
        came = signal.time if signal.received is None else signal.received
        if event_time(signal) > last and came >= receipt:
            last, receipt = event_time(signal), came
            yield signal


def _replayed(clean: History, signals: list[Signal], *, audit: bool) -> list[bytes]:
    job = Job(records=(), events=(), until=clean.until, out="", audit=audit)
    found = in_order([(place << 1, signal) for place, signal in enumerate(signals)], audit)
    return _encoded(fold_user(job, clean.world.catalog(), clean.user, found))


def _live(clean: History, signals: list[Signal]) -> list[bytes]:
    state: bytes | None = None
    outputs: list[out.AnyOutput] = []
    catalog = clean.world.catalog()
    for signal in (*signals, Time(user=clean.user, at=clean.until)):
        done = step(catalog, state, signal, answer)
        assert isinstance(done, Done)
        state = done.state
        outputs += done.outputs
    return _encoded_outputs(clean, tuple(outputs))


def _encoded_outputs(clean: History, outputs: tuple[out.AnyOutput, ...]) -> list[bytes]:
    """Encode the outputs since the last erasure, with their cost."""
    erased = [n for n, output in enumerate(outputs) if isinstance(output, out.Erased)]
    return _encoded(accounted(clean.world.catalog(), outputs[erased[-1] if erased else 0 :]))


def _encoded(outputs: tuple[out.AnyOutput, ...]) -> list[bytes]:
    return [msgspec.msgpack.encode(output) for output in outputs]
