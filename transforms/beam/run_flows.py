"""The core on Beam: one stateful DoFn, with one blob and one event-time timer for each user.

It is the loop in the docstring of ``transforms.hosting.run``, and has no flow logic.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from transforms.beam import state_cache
from transforms.beam.count_metrics import beam_counts
from transforms.beam.elements import Decided
from transforms.flows.protocol import outputs, signals
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.counts import StepCounts
from transforms.hosting.receive import Key
from transforms.hosting.run import Stepper
from transforms.hosting.settings import Settings
from transforms.hosting.taken import Failed, Taken


@beam.typehints.with_input_types(tuple[Key, bytes])
@beam.typehints.with_output_types(Decided)
class RunFlows(beam.DoFn):
    """Hand each user's signals and alarms to the core; see ``transforms.hosting.run``."""

    WAKE = TimerSpec("wake", TimeDomain.WATERMARK)
    STATE = beam.DoFn.StateParam(ReadModifyWriteStateSpec("user", BytesCoder()))
    ALARM = beam.DoFn.TimerParam(WAKE)

    def __init__(self, catalogs: Catalogs, settings: Settings | None = None) -> None:
        self._catalogs = catalogs
        self._settings = settings or Settings()
        self._counts = beam_counts()

    def setup(self) -> None:
        state_cache.patch()
        self._counted = StepCounts(self._catalogs, self._settings, self._counts)
        self._stepper = Stepper(self._catalogs, self._settings, self._counted.went_on)

    def finish_bundle(self) -> None:
        self._counts.flush()

    def process(
        self,
        element: tuple[Key, bytes],
        state: Any = STATE,
        wake: Any = ALARM,
    ) -> Iterable[Decided]:
        """Handle one signal, encoded as msgpack."""
        key, encoded = element
        blob = state.read()
        done = self._stepper.take(key, blob, signals.decode(encoded))
        return self._keep(key, blob, done, state, wake)

    @on_timer(WAKE)
    def on_wake(
        self,
        key: Key = beam.DoFn.KeyParam,
        at: Timestamp = beam.DoFn.TimestampParam,
        state: Any = STATE,
        wake: Any = ALARM,
    ) -> Iterable[Decided]:
        """Handle an alarm, unless the runner is draining."""
        blob, due = state.read(), at.micros // 1000
        done = self._stepper.wake(key, blob, due)
        if done is None:
            self._counted.refused()
            return ()
        self._counted.woke(due)
        return self._keep(key, blob, done, state, wake)

    def _keep(
        self, key: Key, blob: bytes | None, done: Taken | Failed, state: Any, wake: Any
    ) -> Iterable[Decided]:
        if isinstance(done, Failed):
            self._counted.failed(key[0], done)
            return ((key, [outputs.encode(done.letter)]),)
        self._counted.taken(key[0], done)
        if done.state is not None:
            state.write(done.state)
        elif blob is not None:
            state.clear()  # the tombstone of an erased user has expired (R32)
        if done.alarm is None:
            wake.clear()
        else:
            wake.set(Timestamp(micros=done.alarm * 1000))
        return ((key, done.encoded),) if done.encoded else ()
