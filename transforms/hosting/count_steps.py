"""Counts what became of signals and alarms, and reports what went wrong with them."""

from __future__ import annotations

from transforms.flows.protocol import outputs
from transforms.hosting import job_metrics, trouble
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.counts import Counts
from transforms.hosting.settings import Settings
from transforms.hosting.taken import Failed, Taken


class StepCounts:
    """The counts of the function that runs the core."""

    def __init__(self, catalogs: Catalogs, settings: Settings, counts: Counts) -> None:
        self._catalogs = catalogs
        self._clock = settings.clock
        self._counts = counts

    def went_on(self, space: str) -> None:
        """Count a signal that was handled although the control log is behind."""
        self._counts.add(job_metrics.WENT_ON_BEHIND, 1, space)

    def refused(self) -> None:
        """Count an alarm that was too early."""
        self._counts.add(job_metrics.ALARMS_REFUSED)

    def woke(self, due: int) -> None:
        """Count an alarm that was handled."""
        late = max(0, self._clock() - due)
        self._counts.update(job_metrics.ALARM_LATENESS, late)
        self._counts.add(job_metrics.ALARMS_LATE, late > job_metrics.LATE_HANDLING)

    def failed(self, space: str, done: Failed) -> bytes:
        """Count a dead letter; return it, encoded."""
        letter = done.letter
        self._counts.add_reason(letter)
        self._counts.add(job_metrics.OUTPUTS, 1, "dead_letter")
        trouble.report(letter.reason, space=space, detail=letter.detail)
        return outputs.encode(letter)

    def taken(self, space: str, done: Taken) -> None:
        """Count what a step gave."""
        counts, state, received = self._counts, done.state, done.received
        if received is not None:
            lag = max(0, self._clock() - received)
            counts.update(job_metrics.HANDLING_LAG, lag)
            if lag > job_metrics.LATE_HANDLING:
                counts.add(job_metrics.HANDLED_LATE)
        if state is not None:
            size = len(state)
            counts.update(job_metrics.STATE_SIZE, size)
            if size > job_metrics.LARGE_STATE:
                counts.add(job_metrics.STATES_LARGE)
        if done.early:
            counts.add(job_metrics.HANDLED_BEFORE_TURN, done.early)
        if done.held and self._is_late(space):
            counts.add(job_metrics.SIGNALS_HELD, done.held, space)
            trouble.report("control_behind", space=space)
        if done.outputs:
            for letter in counts.add_outputs(done.outputs):
                trouble.report(letter.reason, space=space, detail=letter.detail)

    def _is_late(self, space: str) -> bool:
        """Return True if the control log is behind by more than its writer and readers take."""
        complete = self._catalogs.of(space).catalog.complete_until
        return self._clock() - complete > job_metrics.LATE_LOG
