"""Counts of the metrics of ``job_metrics``, and what became of signals and alarms.

They are added up, because a runner's counter costs more than a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import AnyOutput, DeadLetter, Rejection
from transforms.hosting import job_metrics, trouble
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.job_metrics import JobMetric
from transforms.hosting.settings import Settings
from transforms.hosting.taken import Failed, Taken
from transforms.wire.rows import KIND_OF


class Counts:
    """Counts until the next ``flush``, which calls ``send`` with the name of a series and its count.

    ``note`` is called with the name of a distribution and each number. A pickled copy has no counts yet.
    """

    def __init__(self, send: Callable[[str, int], None], note: Callable[[str, int], None]) -> None:
        self._send = send
        self._note = note
        self._counts: dict[str, int] = {}
        self._kinds: dict[str, int] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Counts, (self._send, self._note)

    def add(self, metric: JobMetric, number: int = 1, value: str = "") -> None:
        """Count; ``value`` is that of the metric's label."""
        if number:
            name = _series(metric, value)
            self._counts[name] = self._counts.get(name, 0) + number

    def update(self, metric: JobMetric, number: int, value: str = "") -> None:
        """Add a number to a distribution."""
        self._note(_series(metric, value), number)

    def add_outputs(self, found: Sequence[AnyOutput]) -> list[DeadLetter]:
        """Count outputs by kind, refusals and dead letters by reason; return the dead letters."""
        counted, letters = self._kinds, list[DeadLetter]()
        for output in found:
            kind = KIND_OF[type(output)]
            counted[kind] = counted.get(kind, 0) + 1
            if kind in ("rejection", "dead_letter"):
                self.add_reason(output)
                letters += [output] if isinstance(output, DeadLetter) else []
        return letters

    def add_letters(self, encoded: Iterable[bytes]) -> None:
        """Count the dead letters of a sink, which are no outputs of a step."""
        for one in encoded:
            self.add_reason(outputs.decode(one))

    def add_reason(self, output: AnyOutput) -> None:
        """Count a refusal or a dead letter by its reason."""
        if isinstance(output, Rejection):
            self.add(job_metrics.REFUSALS, 1, output.reason)
        elif isinstance(output, DeadLetter):
            self.add(job_metrics.DEAD_LETTERS, 1, output.reason)

    def flush(self) -> None:
        """Send the counts, and begin anew."""
        for kind, number in self._kinds.items():
            self.add(job_metrics.OUTPUTS, number, kind)
        counts, self._counts, self._kinds = self._counts, {}, {}
        for name, number in counts.items():
            self._send(name, number)


def _series(metric: JobMetric, value: str) -> str:
    """Return the name of a series; most metrics have no label, so that their method need not be called."""
    return metric.of(value) if metric.by else metric.name


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
        """Count an alarm that was refused."""
        self._counts.add(job_metrics.ALARMS_REFUSED)

    def woke(self, due: int) -> None:
        """Count an alarm that was handled."""
        late = max(0, self._clock() - due)
        self._counts.update(job_metrics.ALARM_LATENESS, late)
        self._counts.add(job_metrics.ALARMS_LATE, late > job_metrics.LATE_HANDLING)

    def failed(self, space: str, done: Failed) -> None:
        """Count a dead letter."""
        letter = done.letter
        self._counts.add_reason(letter)
        self._counts.add(job_metrics.OUTPUTS, 1, "dead_letter")
        trouble.report(letter.reason, space=space, detail=letter.detail)

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
