"""The loop of ``transforms.hosting.run`` over the states and timers of Flink.

It needs no PyFlink, so that it is compiled with the core: each event passes here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from transforms.flink.elements import LETTER, Decided, Named
from transforms.flink.recent_states import Kept, RecentStates
from transforms.flink.user_state import is_refused, pack, to_key, unpack
from transforms.flows.protocol import outputs, signals
from transforms.flows.protocol.outputs import AnyOutput
from transforms.flows.protocol.signals import Signal
from transforms.hosting.counts import StepCounts
from transforms.hosting.receive import Key
from transforms.hosting.taken import Failed, Taken
from transforms.wire import bodies

RETRY: Final = 60_000
"""After how many ms an alarm that was refused is set again."""
NOTHING: Final[tuple[Decided, ...]] = ()


class Steps(Protocol):
    """What ``transforms.hosting.run.Stepper`` does; a benchmark puts a clock before it."""

    def take(self, key: Key, state: bytes | None, signal: Signal) -> Taken | Failed: ...

    def wake(self, key: Key, state: bytes | None, at: int) -> Taken | Failed | None: ...


class UserSteps:
    """Hands the signals and alarms of users to the core, and keeps what it gives.

    ``state`` is Flink's, of the current key; ``timers`` are Flink's timer service.
    """

    def __init__(
        self, state: Any, steps: Steps, counts: StepCounts, clock: Callable[[], int]
    ) -> None:
        self._state = state
        self._recent = RecentStates()
        self._steps = steps
        self._counts = counts
        self._clock = clock

    def take(self, value: Named, timers: Any) -> Sequence[Decided]:
        """Handle one signal, encoded as msgpack, or pass a dead letter on."""
        name, encoded = value
        if name.startswith(LETTER):
            return _letter(name.removeprefix(LETTER), outputs.decode(encoded))
        key = to_key(name)
        alarm, blob = self._read(name)
        done = self._steps.take(key, blob, signals.decode(encoded))
        if type(done) is Failed:
            self._counts.failed(key[0], done)
            return _letter(name, done.letter)
        return self._keep(name, key, alarm, done, timers)

    def wake(self, name: str, at: int, timers: Any) -> Sequence[Decided]:
        """Handle an alarm. One that is refused is set again, by a timer of the clock, since a timer of
        event time would fire at once.
        """
        key = to_key(name)
        _, blob = self._read(name)
        done = self._steps.wake(key, blob, at)
        if done is None:
            self._counts.refused()
            self._write(name, ~at, blob)
            timers.register_processing_time_timer(self._clock() + RETRY)
            return NOTHING
        self._counts.woke(at)
        if type(done) is Failed:
            self._write(name, None, blob)
            self._counts.failed(key[0], done)
            return _letter(name, done.letter)
        return self._keep(name, key, None, done, timers)

    def set_again(self, name: str, timers: Any) -> None:
        """Set an alarm again that was refused."""
        alarm, blob = self._read(name)
        if alarm is not None and is_refused(alarm):
            self._write(name, ~alarm, blob)
            timers.register_event_time_timer(~alarm)

    def _keep(
        self, name: str, key: Key, alarm: int | None, done: Taken, timers: Any
    ) -> Sequence[Decided]:
        """Keep the state and the alarm of a step; ``alarm`` is the time of the timer that is set."""
        self._counts.taken(key[0], done)
        due = done.alarm
        if due != alarm:
            if alarm is not None:
                timers.delete_event_time_timer(alarm)
            if due is not None:
                timers.register_event_time_timer(due)
        self._write(name, due, done.state)
        return [(name, done.outputs, done.encoded)] if done.outputs else NOTHING

    def _read(self, name: str) -> Kept:
        return self._recent.take(name) or unpack(self._state.value())

    def _write(self, name: str, alarm: int | None, blob: bytes | None) -> None:
        kept = pack(alarm, blob)
        if kept is None:
            self._state.clear()
        else:
            self._state.update(kept)
            self._recent.put(name, (alarm, blob))


def _letter(name: str, letter: AnyOutput) -> Sequence[Decided]:
    """Return a dead letter as the outputs of a step."""
    return [(name, [letter], [bodies.encode(letter)])]
