"""The core on Flink: one keyed function, with one state and one event-time timer for each user.

It is the loop in the docstring of ``transforms.hosting.run``, and has no flow logic.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, TimeDomain
from pyflink.datastream.state import ValueStateDescriptor

from transforms.flink.count_metrics import FlinkCounts
from transforms.flink.elements import LETTER, Decided, Named
from transforms.flink.recent_states import Kept, RecentStates
from transforms.flink.user_state import is_refused, pack, to_key, unpack
from transforms.flows.protocol import outputs, signals
from transforms.hosting import job_metrics, trouble
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.run import Stepper
from transforms.hosting.settings import Settings
from transforms.hosting.taken import Failed, Taken

RETRY = 60_000
"""After how many ms an alarm that was refused is set again."""
STATE = "user"
"""The name of the state: savepoints find it by this."""


class RunFlows(KeyedProcessFunction):
    """Hand each user's signals and alarms to the core; see ``transforms.hosting.run``.

    The state has no time to live: that would go by the clock, and forget users who wait.
    """

    def __init__(self, catalogs: Catalogs, settings: Settings | None = None) -> None:
        self._catalogs = catalogs
        self._settings = settings or Settings()

    def open(self, runtime_context: Any) -> None:
        # A primitive array of bytes would fail on an empty value.
        described = ValueStateDescriptor(STATE, Types.PICKLED_BYTE_ARRAY())
        self._state = runtime_context.get_state(described)
        self._recent = RecentStates()
        self._counts = FlinkCounts(runtime_context)
        self._stepper = Stepper(self._catalogs, self._settings, self._went_on)

    def close(self) -> None:
        self._counts.flush()

    def process_element(self, value: Named, ctx: Any) -> Iterable[Decided]:
        """Handle one signal, encoded as msgpack, or pass a dead letter on."""
        name, encoded = value
        if name.startswith(LETTER):
            return ((name.removeprefix(LETTER), [encoded]),)
        alarm, blob = self._read(name)
        done = self._stepper.take(to_key(name), blob, signals.decode(encoded))
        self._counts.tick()
        if isinstance(done, Failed):
            return self._failed(name, done)
        return self._keep(name, alarm, done, ctx.timer_service())

    def on_timer(self, timestamp: int, ctx: Any) -> Iterable[Decided]:
        """Handle an alarm. One that is too early is set again, by a timer of the clock, since a timer of
        event time would fire at once.
        """
        name, timers = ctx.get_current_key(), ctx.timer_service()
        alarm, blob = self._read(name)
        if ctx.time_domain() == TimeDomain.PROCESSING_TIME:
            if alarm is not None and is_refused(alarm):
                self._write(name, ~alarm, blob)
                timers.register_event_time_timer(~alarm)
            return ()
        done = self._stepper.wake(to_key(name), blob, timestamp)
        self._counts.tick()
        if done is None:
            self._counts.add(job_metrics.ALARMS_REFUSED)
            self._write(name, ~timestamp, blob)
            timers.register_processing_time_timer(self._settings.clock() + RETRY)
            return ()
        if isinstance(done, Failed):
            self._write(name, None, blob)
            return self._failed(name, done)
        late = max(0, self._settings.clock() - timestamp)
        self._counts.update(job_metrics.ALARM_LATENESS, late)
        self._counts.add(job_metrics.ALARMS_LATE, late > job_metrics.LATE_HANDLING)
        return self._keep(name, None, done, timers)

    def _keep(self, name: str, alarm: int | None, done: Taken, timers: Any) -> Iterable[Decided]:
        """Keep the state and the alarm of a step; ``alarm`` is the time of the timer that is set."""
        self._count(to_key(name)[0], done)
        if done.alarm != alarm:
            if alarm is not None:
                timers.delete_event_time_timer(alarm)
            if done.alarm is not None:
                timers.register_event_time_timer(done.alarm)
        self._write(name, done.alarm, done.state)
        return ((name, done.outputs),) if done.outputs else ()

    def _read(self, name: str) -> Kept:
        return self._recent.take(name) or unpack(self._state.value())

    def _write(self, name: str, alarm: int | None, blob: bytes | None) -> None:
        kept = pack(alarm, blob)
        if kept is None:
            self._state.clear()
        else:
            self._state.update(kept)
            self._recent.put(name, (alarm, blob))

    def _failed(self, name: str, done: Failed) -> Iterable[Decided]:
        letter = done.letter
        self._counts.add_reason(letter)
        self._counts.add(job_metrics.OUTPUTS, 1, "dead_letter")
        trouble.report(letter.reason, space=to_key(name)[0], detail=letter.detail)
        return ((name, [outputs.encode(letter)]),)

    def _went_on(self, space: str) -> None:
        self._counts.add(job_metrics.WENT_ON_BEHIND, 1, space)

    def _count(self, space: str, done: Taken) -> None:
        counts = self._counts
        if done.received is not None:
            lag = max(0, self._settings.clock() - done.received)
            counts.update(job_metrics.HANDLING_LAG, lag)
            counts.add(job_metrics.HANDLED_LATE, lag > job_metrics.LATE_HANDLING)
        if done.state is not None:
            size = len(done.state)
            counts.update(job_metrics.STATE_SIZE, size)
            counts.add(job_metrics.STATES_LARGE, size > job_metrics.LARGE_STATE)
        if done.early:
            counts.add(job_metrics.HANDLED_BEFORE_TURN, done.early)
        if done.held:
            counts.add(job_metrics.SIGNALS_HELD, done.held, space)
            trouble.report("control_behind", space=space)
        for letter in counts.add_outputs(done.outputs):
            trouble.report(letter.reason, space=space, detail=letter.detail)
