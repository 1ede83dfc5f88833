"""The core on Beam: one stateful DoFn, one blob and one alarm a user, no flow logic.

The alarm is an event-time timer at the due time plus the slack: the watermark over receipts
has then passed it, and no signal that belongs before it is still to come (R1).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.coders import BytesCoder
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from transforms import beam_patches
from transforms.catalogs import Catalogs
from transforms.flows import outputs, signals
from transforms.flows.catalog import NEVER
from transforms.flows.step import Behind, Done, step

Key = tuple[str, str]
"""A space and a user's id."""

KINDS: tuple[str, ...] = tuple(
    str(kind.__struct_config__.tag) for kind in outputs.AnyOutput.__args__
)
"""The tags of the outputs: one for each kind."""

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0


def system_clock() -> int:
    """Read the machine's clock, ms since 1970."""
    return time.time_ns() // 1_000_000


class BehindError(RuntimeError):
    """The control log that the worker has is not complete until an instant; the runner retries."""


class Settings(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How the host behaves; what flows mean does not depend on it.

    ``until``: no alarm is set later, what is due after it stays pending (R3). ``ahead``: an
    alarm so many ms before its time by ``clock`` is a runner's drain, and refused.
    ``patience``: seconds to wait for a control log that is behind, then the bundle fails;
    ``loose`` goes on instead with the log as it is, and counts it.
    """

    until: int = NEVER
    ahead: int = 10_000
    patience: float = 60.0
    loose: bool = False
    clock: Callable[[], int] = system_clock


@beam.typehints.with_input_types(tuple[Key, bytes])
@beam.typehints.with_output_types(tuple[Key, bytes])
class RunFlows(beam.DoFn):
    """Hand each user's signals and alarms to ``step``; outputs are tagged with their kind."""

    WAKE = TimerSpec("wake", TimeDomain.WATERMARK)
    STATE = beam.DoFn.StateParam(ReadModifyWriteStateSpec("user", BytesCoder()))
    ALARM = beam.DoFn.TimerParam(WAKE)

    def __init__(self, catalogs: Catalogs, settings: Settings | None = None) -> None:
        self._catalogs = catalogs
        self._settings = settings or Settings()
        self._early = Metrics.counter("flows", "alarms_refused")
        self._behind = Metrics.counter("flows", "went_on_behind")

    def setup(self) -> None:
        beam_patches.patch()

    def process(
        self,
        element: tuple[Key, bytes],
        state: Any = STATE,
        wake: Any = ALARM,
    ) -> Iterator[TaggedOutput]:
        """Handle one signal, encoded as msgpack."""
        key, encoded = element
        return self._advance(key, signals.decode(encoded), state, wake)

    @on_timer(WAKE)
    def on_wake(
        self,
        key: Key = beam.DoFn.KeyParam,
        at: Timestamp = beam.DoFn.TimestampParam,
        state: Any = STATE,
        wake: Any = ALARM,
    ) -> Iterator[TaggedOutput]:
        """Say to the core that the alarm's time has come, unless the runner is draining.

        The state then keeps what is due, and no alarm is set: where the watermark is at the
        end of time, it would be back at once.
        """
        t = at.micros // 1000
        if t > self._settings.clock() + self._settings.ahead:
            self._early.inc()
            return iter(())
        due = t - self._catalogs.of(key[0]).slack
        return self._advance(key, signals.Time(user=key[1], at=due), state, wake)

    def _advance(
        self, key: Key, signal: signals.Signal, state: Any, wake: Any
    ) -> Iterator[TaggedOutput]:
        done = self._step(key[0], state.read(), signal)
        if done.state is not None:
            state.write(done.state)
        slack = self._catalogs.of(key[0]).slack
        if done.wake_at is None or done.wake_at + slack > self._settings.until:
            wake.clear()
        else:
            wake.set(Timestamp(micros=(done.wake_at + slack) * 1000))
        for output in done.outputs:
            tag = str(output.__struct_config__.tag)
            yield TaggedOutput(tag, (key, outputs.encode(output)))

    def _step(self, space: str, state: bytes | None, signal: signals.Signal) -> Done:
        done = step(self._catalogs.of(space).catalog, state, signal)
        if isinstance(done, Done):
            return done
        return self._wait(space, state, signal, done)

    def _wait(
        self, space: str, state: bytes | None, signal: signals.Signal, done: Done | Behind
    ) -> Done:
        """Read the log again, after growing pauses, until it reaches what the signal needs."""
        end, pause = time.monotonic() + self._settings.patience, FIRST_PAUSE
        while isinstance(done, Behind):
            known = self._catalogs.refreshed(space).catalog
            done = step(known, state, signal)
            if isinstance(done, Done):
                break
            if time.monotonic() < end:
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            elif self._settings.loose:
                self._behind.inc()
                known = msgspec.structs.replace(known, complete_until=NEVER)
                done = step(known, state, signal)
            else:
                raise BehindError(f"the log of {space} is not complete until {done.until}")
        return done
