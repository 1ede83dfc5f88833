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
from transforms.beam.count_metrics import Counts, update
from transforms.beam.elements import Decided
from transforms.flows.protocol import outputs, signals
from transforms.hosting import job_metrics, trouble
from transforms.hosting.catalogs import Catalogs
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
        self._counts = Counts()
        self._stepper = Stepper(catalogs, self._settings, self._went_on)

    def _went_on(self, space: str) -> None:
        self._counts.add(job_metrics.WENT_ON_BEHIND, 1, space)

    def setup(self) -> None:
        state_cache.patch()

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
            self._counts.add(job_metrics.ALARMS_REFUSED)
            return ()
        late = max(0, self._settings.clock() - due)
        update(job_metrics.ALARM_LATENESS, late)
        self._counts.add(job_metrics.ALARMS_LATE, late > job_metrics.LATE_HANDLING)
        return self._keep(key, blob, done, state, wake)

    def _keep(
        self, key: Key, blob: bytes | None, done: Taken | Failed, state: Any, wake: Any
    ) -> Iterable[Decided]:
        if isinstance(done, Failed):
            letter = done.letter
            self._counts.add_reason(letter)
            self._counts.add(job_metrics.OUTPUTS, 1, "dead_letter")
            trouble.report(letter.reason, space=key[0], detail=letter.detail)
            return ((key, [outputs.encode(letter)]),)
        self._count(key[0], done)
        if done.state is not None:
            state.write(done.state)
        elif blob is not None:
            state.clear()  # the tombstone of an erased user has expired (R32)
        if done.alarm is None:
            wake.clear()
        else:
            wake.set(Timestamp(micros=done.alarm * 1000))
        return ((key, done.outputs),) if done.outputs else ()

    def _is_late(self, space: str) -> bool:
        """Return True if the control log is behind by more than its writer and readers take."""
        complete = self._catalogs.of(space).catalog.complete_until
        return self._settings.clock() - complete > job_metrics.LATE_LOG

    def _count(self, space: str, done: Taken) -> None:
        counts = self._counts
        if done.received is not None:
            lag = max(0, self._settings.clock() - done.received)
            update(job_metrics.HANDLING_LAG, lag)
            counts.add(job_metrics.HANDLED_LATE, lag > job_metrics.LATE_HANDLING)
        if done.state is not None:
            size = len(done.state)
            update(job_metrics.STATE_SIZE, size)
            counts.add(job_metrics.STATES_LARGE, size > job_metrics.LARGE_STATE)
        if done.early:
            counts.add(job_metrics.HANDLED_BEFORE_TURN, done.early)
        if done.held and self._is_late(space):
            counts.add(job_metrics.SIGNALS_HELD, done.held, space)
            trouble.report("control_behind", space=space)
        for letter in counts.add_outputs(done.outputs):
            trouble.report(letter.reason, space=space, detail=letter.detail)
