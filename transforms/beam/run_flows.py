"""The core on Beam: one stateful DoFn, one blob and one alarm a user, no flow logic.

The alarm is an event-time timer at the due time plus the slack: the watermark over receipts
has then passed it, and no signal that belongs before it is still to come (R1).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.coders import BytesCoder
from apache_beam.metrics import Metrics
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from transforms.beam import state_cache
from transforms.flows.catalog.epochs import NEVER, Catalog
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Behind, step
from transforms.flows.protocol import outputs, signals
from transforms.hosting import dead_letters
from transforms.hosting.catalogs import Catalogs, Known
from transforms.hosting.sandbox import answer

Key = tuple[str, str]
"""A space and a user's id."""

Decided = tuple[Key, list[bytes]]
"""The encoded outputs of one step for one user, in the order decided.

Together, since a runner's work for an element costs several times what an output does.
"""

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


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What a step decided, encoded."""

    state: bytes | None
    outputs: list[bytes]
    wake_at: int | None


def take(
    catalog: Catalog, state: bytes | None, signal: signals.Signal
) -> Taken | Behind | Exception:
    """Run a step; what it raises is a value, but for want of memory, which may pass."""
    try:
        done = step(catalog, state, signal, answer)
        if isinstance(done, Behind):
            return done
        found = accounted(catalog, done.outputs)
        return Taken(done.state, [outputs.encode(o) for o in found], done.wake_at)
    except MemoryError:
        raise
    except Exception as error:
        return error


@beam.typehints.with_input_types(tuple[Key, bytes])
@beam.typehints.with_output_types(Decided)
class RunFlows(beam.DoFn):
    """Hand each user's signals and alarms to ``step``.

    What cannot be handled becomes a dead letter: the state and the alarm stay as they are. An
    alarm that fails is over, so nothing is tried for ever; the next signal that can be handled
    sets it again, and a repaired signal may be sent anew, since its id was not remembered.
    """

    WAKE = TimerSpec("wake", TimeDomain.WATERMARK)
    STATE = beam.DoFn.StateParam(ReadModifyWriteStateSpec("user", BytesCoder()))
    ALARM = beam.DoFn.TimerParam(WAKE)

    def __init__(self, catalogs: Catalogs, settings: Settings | None = None) -> None:
        self._catalogs = catalogs
        self._settings = settings or Settings()
        self._early = Metrics.counter("flows", "alarms_refused")
        self._behind = Metrics.counter("flows", "went_on_behind")
        self._failed = Metrics.counter("flows", "failed")

    def setup(self) -> None:
        state_cache.patch()

    def process(
        self,
        element: tuple[Key, bytes],
        state: Any = STATE,
        wake: Any = ALARM,
    ) -> Iterable[Decided]:
        """Handle one signal, encoded as msgpack."""
        key, encoded = element
        known = self._catalogs.of(key[0])
        return self._advance(key, known, signals.decode(encoded), state, wake)

    @on_timer(WAKE)
    def on_wake(
        self,
        key: Key = beam.DoFn.KeyParam,
        at: Timestamp = beam.DoFn.TimestampParam,
        state: Any = STATE,
        wake: Any = ALARM,
    ) -> Iterable[Decided]:
        """Say to the core that the alarm's time has come, unless the runner is draining.

        The state then keeps what is due, and no alarm is set: where the watermark is at the
        end of time, it would be back at once.
        """
        t = at.micros // 1000
        if t > self._settings.clock() + self._settings.ahead:
            self._early.inc()
            return ()
        known = self._catalogs.of(key[0])
        signal = signals.Time(user=key[1], at=t - known.slack)
        return self._advance(key, known, signal, state, wake)

    def _advance(
        self, key: Key, known: Known, signal: signals.Signal, state: Any, wake: Any
    ) -> Iterable[Decided]:
        blob = state.read()
        taken = take(known.catalog, blob, signal)
        if isinstance(taken, Behind):
            known, taken = self._wait(key[0], blob, signal, taken)
        if isinstance(taken, Exception):
            self._failed.inc()
            letter = dead_letters.of_failure(key[0], blob, signal, taken)
            return ((key, [outputs.encode(letter)]),)
        if taken.state is not None:
            state.write(taken.state)
        elif blob is not None:
            state.clear()  # the mark of an erased user is over (R32)
        if taken.wake_at is None or taken.wake_at + known.slack > self._settings.until:
            wake.clear()
        else:
            wake.set(Timestamp(micros=(taken.wake_at + known.slack) * 1000))
        return ((key, taken.outputs),) if taken.outputs else ()

    def _wait(
        self, space: str, state: bytes | None, signal: signals.Signal, behind: Behind
    ) -> tuple[Known, Taken | Exception]:
        """Read the log again, after growing pauses, until it reaches what the signal needs."""
        end, pause = time.monotonic() + self._settings.patience, FIRST_PAUSE
        while True:
            known = self._catalogs.refreshed(space)
            taken = take(known.catalog, state, signal)
            if not isinstance(taken, Behind):
                return known, taken
            behind = taken
            if self._settings.loose or time.monotonic() >= end:
                break
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        if not self._settings.loose:
            why = f": {known.trouble}" if known.trouble else ""
            raise BehindError(f"the log of {space} is not complete until {behind.until}{why}")
        self._behind.inc()
        taken = take(known.catalog.complete(NEVER), state, signal)
        assert not isinstance(taken, Behind)
        return known, taken
