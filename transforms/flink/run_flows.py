"""The core on Flink: one keyed function, with one state and one event-time timer for each user."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, TimeDomain
from pyflink.datastream.state import ValueStateDescriptor

from transforms.flink.count_metrics import FlinkCounts
from transforms.flink.elements import Decided, Named
from transforms.flink.user_steps import Steps, UserSteps
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.counts import StepCounts
from transforms.hosting.run import Stepper
from transforms.hosting.settings import Settings
from transforms.wire import bodies

STATE = "user"
"""The name of the state: savepoints find it by this."""


class RunFlows(KeyedProcessFunction):
    """Hand each user's signals and alarms to the core; see ``transforms.flink.user_steps``.

    The state has no time to live: that would go by the clock, and forget users who wait.
    """

    def __init__(self, catalogs: Catalogs, settings: Settings | None = None) -> None:
        self._catalogs = catalogs
        self._settings = settings or Settings()

    def open(self, runtime_context: Any) -> None:
        # A primitive array of bytes would fail on an empty value.
        described = ValueStateDescriptor(STATE, Types.PICKLED_BYTE_ARRAY())
        self._counts = FlinkCounts(runtime_context)
        counted = StepCounts(self._catalogs, self._settings, self._counts)
        stepper = Stepper(self._catalogs, self._settings, counted.went_on, bodies.encode)
        self._steps = self._make(runtime_context.get_state(described), stepper, counted)

    def _make(self, state: Any, stepper: Steps, counted: StepCounts) -> UserSteps:
        """Make the loop; a benchmark and a test put something before the state."""
        return UserSteps(state, stepper, counted, self._settings.clock)

    def close(self) -> None:
        self._counts.flush()

    def process_element(self, value: Named, ctx: Any) -> Iterable[Decided]:
        """Handle one signal, or pass a dead letter on."""
        self._counts.tick()
        return self._steps.take(value, ctx.timer_service())

    def on_timer(self, timestamp: int, ctx: Any) -> Iterable[Decided]:
        """Handle an alarm."""
        self._counts.tick()
        name, timers = ctx.get_current_key(), ctx.timer_service()
        if ctx.time_domain() == TimeDomain.PROCESSING_TIME:
            self._steps.set_again(name, timers)
            return ()
        return self._steps.wake(name, timestamp, timers)
