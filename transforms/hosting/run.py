"""Run the core on one user's state: wait while the control log is behind, turn failures into dead letters.

The loop of a host, with a store of states, a timer for each key and a sink::

    stepper = Stepper(catalogs)


    def on_message(data, attributes, receipt):
        match receive(catalogs, data, attributes, receipt):
            case Accepted() as accepted:
                key, signal = accepted.key, accepted.signal
                keep(key, stepper.take(key, states.get(key), signal))
            case Rejected(space, letter):
                sink.write([(space, letter)])


    def on_timer(key, at):  # once no receipt before ``at`` can come any more
        done = stepper.wake(key, states.get(key), at)
        if done is not None:
            keep(key, done)


    def keep(key, done):
        match done:
            case Taken(state, outputs, alarm):
                states.put(key, state)  # None: delete it
                timers.set(key, alarm)  # None: clear it
                sink.write([(key[0], decode(output)) for output in outputs])
            case Failed(letter):  # state and timer stay as they are
                sink.write([(key[0], letter)])

State, timer and outputs are committed together. Where that is impossible, outputs come first: a
repeated step gives the same outputs with the same ids (R31).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from transforms.flows.catalog.epochs import NEVER, Catalog
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Behind, step
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import DeadLetter
from transforms.flows.protocol.signals import Signal, Time
from transforms.hosting import dead_letters
from transforms.hosting.catalogs import Catalogs, Known
from transforms.hosting.receive import Key
from transforms.hosting.sandbox import answer

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0


def system_clock() -> int:
    """Read the machine's clock, ms since 1970."""
    return time.time_ns() // 1_000_000


class BehindError(RuntimeError):
    """The control log is not complete until the instant that a signal needs; try again later."""


class Settings(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How the host behaves; what flows mean does not depend on it.

    ``until``: no alarm is set later, and what is due after it stays pending (R3). ``ahead``: an
    alarm that fires more than this many ms before its time by ``clock`` is refused: the runner is
    draining. ``patience``: seconds to wait for a control log that is behind, then BehindError;
    ``loose`` goes on with the log as it is instead.
    """

    until: int = NEVER
    ahead: int = 10_000
    patience: float = 60.0
    loose: bool = False
    clock: Callable[[], int] = system_clock


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What a step decided: the new state, the encoded outputs and the next alarm.

    A state of None is deleted, an alarm of None cleared.
    """

    state: bytes | None
    outputs: list[bytes]
    alarm: int | None


class Failed(msgspec.Struct, frozen=True, gc=False):
    """A signal that the core could not handle: the user's state and alarm stay as they are.

    An alarm that fails is over, so nothing is retried forever. The next signal that can be
    handled sets it again. A repaired signal may be sent again, since its id was not remembered.
    """

    letter: DeadLetter


class Stepper:
    """Hands signals and alarms to the core, one user's state at a time; it keeps no state itself.

    ``on_behind`` is called when ``Settings.loose`` lets a signal be handled by a log that is not
    complete.
    """

    def __init__(
        self,
        catalogs: Catalogs,
        settings: Settings | None = None,
        on_behind: Callable[[], None] = lambda: None,
    ) -> None:
        self._catalogs = catalogs
        self._settings = settings or Settings()
        self._on_behind = on_behind

    def take(self, key: Key, state: bytes | None, signal: Signal) -> Taken | Failed:
        """Handle one signal. Raises BehindError if the control log stays behind."""
        return self._advance(key, self._catalogs.of(key[0]), state, signal)

    def wake(self, key: Key, state: bytes | None, at: int) -> Taken | Failed | None:
        """Handle an alarm that was set for ``at``; None if it is too early, and nothing changes.

        A runner that drains fires every alarm. The state then keeps what is due, and no alarm may
        be set: with the watermark at the end of time it would fire again at once.
        """
        if at > self._settings.clock() + self._settings.ahead:
            return None
        known = self._catalogs.of(key[0])
        return self._advance(key, known, state, Time(user=key[1], at=at - known.slack))

    def _advance(
        self, key: Key, known: Known, state: bytes | None, signal: Signal
    ) -> Taken | Failed:
        done = self._step(known, known.catalog, state, signal)
        if isinstance(done, Behind):
            done = self._wait(key[0], state, signal)
        if isinstance(done, Exception):
            return Failed(dead_letters.of_failure(key[0], state, signal, done))
        return done

    def _wait(self, space: str, state: bytes | None, signal: Signal) -> Taken | Exception:
        """Read the log again, with growing pauses, until it reaches what the signal needs."""
        end, pause = time.monotonic() + self._settings.patience, FIRST_PAUSE
        while True:
            known = self._catalogs.refreshed(space)
            done = self._step(known, known.catalog, state, signal)
            if not isinstance(done, Behind):
                return done
            if self._settings.loose:
                self._on_behind()
                done = self._step(known, known.catalog.complete(NEVER), state, signal)
                assert not isinstance(done, Behind)
                return done
            if time.monotonic() >= end:
                why = f": {known.trouble}" if known.trouble else ""
                raise BehindError(f"the log of {space} is not complete until {done.until}{why}")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _step(
        self, known: Known, catalog: Catalog, state: bytes | None, signal: Signal
    ) -> Taken | Behind | Exception:
        """Run a step; return what it raises, except MemoryError, which may pass."""
        try:
            done = step(catalog, state, signal, answer)
            if isinstance(done, Behind):
                return done
            # The host's watermark is about receipts: at the due time plus the slack it has
            # passed every signal that belongs before that time (R1).
            alarm = None if done.wake_at is None else done.wake_at + known.slack
            if alarm is not None and alarm > self._settings.until:
                alarm = None
            rows = accounted(catalog, done.outputs)
            return Taken(done.state, [outputs.encode(row) for row in rows], alarm)
        except MemoryError:
            raise
        except Exception as error:
            return error
