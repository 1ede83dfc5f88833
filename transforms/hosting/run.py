"""Run the core on one user's state: hold signals while the control log is behind, turn failures into dead letters.

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
            case Taken(state, outputs, _, alarm):
                states.put(key, state)  # None: delete it
                timers.set(key, alarm)  # None: clear it
                sink.write([(key[0], output) for output in outputs])
            case Failed(letter):  # state and timer stay as they are
                sink.write([(key[0], letter)])

State, timer and outputs are committed together. Where that is impossible, outputs come first: a
repeated step gives the same outputs with the same ids (R31).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from transforms.flows.catalog.epochs import NEVER, Catalog
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Behind, fold
from transforms.flows.engine.timers import earliest_due
from transforms.flows.engine.working import decode
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import AnyOutput
from transforms.flows.protocol.signals import Event, Signal, Time
from transforms.hosting import buffer, dead_letters, order
from transforms.hosting.buffer import UnreadableBuffer, is_buffer
from transforms.hosting.catalogs import Catalogs, Known
from transforms.hosting.receive import Key
from transforms.hosting.sandbox import answer
from transforms.hosting.settings import Settings
from transforms.hosting.taken import Failed, Taken

APART: Final = 10
"""The alarms of a user with waiting signals are a tenth of the allowed lateness apart."""
LONGEST_HOLD: Final = 60_000
"""A user whose signals wait for the control log is tried again at the latest after this many ms."""


class Stepper:
    """Hands signals and alarms to the core, one user's state at a time; it keeps no state itself.

    Signals wait in the user's state until their turn has come (``order.in_turn``), unless the space
    has no allowed lateness or they act on arrival. ``on_behind`` is called with the space when
    ``Settings.loose`` lets a signal be handled by a log that is not complete. ``encode`` encodes
    outputs; a signal with one that cannot be encoded fails.
    """

    def __init__(
        self,
        catalogs: Catalogs,
        settings: Settings | None = None,
        on_behind: Callable[[str], None] = lambda space: None,
        encode: Callable[[AnyOutput], bytes] = outputs.encode,
    ) -> None:
        self._catalogs = catalogs
        self._settings = settings or Settings()
        self._on_behind = on_behind
        self._encode = encode

    def take(self, key: Key, state: bytes | None, signal: Signal) -> Taken | Failed:
        """Handle one signal, or let it wait.

        While the control log is behind, a user's signals wait up to the limits of the buffer.
        """
        done = self._take(key, state, signal)
        if isinstance(done, Taken) and done.held and not done.outputs and is_buffer(done.state):
            assert done.state is not None
            if buffer.is_full(buffer.head_of(done.state)):
                return Failed(dead_letters.of_held(key[0], signal))
        return done

    def _take(self, key: Key, state: bytes | None, signal: Signal) -> Taken | Failed:
        known = self._catalogs.of(key[0])
        if not acts_on_arrival(known, signal):
            return self._add(key, known, state, signal)
        if is_buffer(state):
            return self._handle_waiting(key, known, state, signal)
        return self._advance(key, known, state, signal)

    def wake(self, key: Key, state: bytes | None, at: int) -> Taken | Failed | None:
        """Handle an alarm that was set for ``at``; None if it is too early, and nothing changes.

        Also None if the space no longer has a control log.

        A runner that drains fires every alarm. The state then keeps what is due, and no alarm may
        be set: with the watermark at the end of time it would fire again at once.
        """
        if (
            at > self._settings.clock() + self._settings.ahead
            or key[0] not in self._catalogs.spaces
        ):
            return None
        known = self._catalogs.of(key[0])
        if is_buffer(state):
            return self._handle_waiting(key, known, state, Time(user=key[1], at=at))
        return self._advance(key, known, state, Time(user=key[1], at=at - known.slack))

    def _add(self, key: Key, known: Known, state: bytes | None, signal: Signal) -> Taken | Failed:
        """Let a signal wait for its turn.

        With too many signals the first half of them is handled early, with too many bytes all.
        """
        try:
            blob = buffer.add(state, signal, None if is_buffer(state) else due_of(state))
            head = buffer.head_of(blob)
            if not buffer.is_full(head):
                return Taken(blob, (), [], self._next(known, head.due, head.earliest))
            core, waiting = buffer.unpack(blob)
        except UnreadableBuffer as error:
            return Failed(dead_letters.of_failure(key[0], state, signal, error))
        waiting = order.with_earliest_receipts(order.in_event_order(waiting))
        early = len(waiting) if head.length > buffer.MOST_BYTES else (len(waiting) + 1) // 2
        taken = self._handle(key, known, core, waiting[:early], waiting[early:])
        return msgspec.structs.replace(taken, early=early)

    def _handle_waiting(
        self, key: Key, known: Known, state: bytes | None, signal: Signal
    ) -> Taken | Failed:
        """Handle the waiting signals that come before this one, which acts at once, or is an alarm."""
        try:
            core, waiting = buffer.unpack(state)
        except UnreadableBuffer as error:
            return Failed(dead_letters.of_failure(key[0], state, signal, error))
        if known.on_arrival:  # they were held
            turn = waiting if isinstance(signal, Time) else [*waiting, signal]
            now = signal.at if isinstance(signal, Time) else 0
            return self._handle(key, known, core, turn, [], now)
        if not isinstance(signal, Time):
            before = order.in_event_order([*waiting, signal])
            place = before.index(signal) + 1
            turn, rest = order.with_earliest_receipts(before[:place]), before[place:]
            return self._handle(key, known, core, turn, rest)
        turn, rest = order.in_turn(waiting, known.slack, signal.at)
        if not turn:
            earliest = min(map(order.ingestion_time, rest))
            turn = [Time(user=key[1], at=min(signal.at, earliest) - known.slack)]
        return self._handle(key, known, core, turn, rest, signal.at)

    def _handle(
        self,
        key: Key,
        known: Known,
        core: bytes | None,
        turn: Sequence[Signal],
        rest: Sequence[Signal],
        now: int = 0,
    ) -> Taken:
        """Handle signals in this order, together or, if one fails, one by one; the rest waits.

        No alarm is set before ``now``, the time of the alarm that is handled: what a runner fires
        behind its watermark is late input for the next steps of a pipeline.
        """
        done, held = self._run(key[0], known, core, turn), list[Signal]()
        if not isinstance(done, Taken):
            done, held = self._one_by_one(key[0], known, core, turn)
        rest = [*(signal for signal in held if not isinstance(signal, Time)), *rest]
        due = None if done.alarm is None else max(done.alarm, now) - known.slack
        earliest = min(map(order.ingestion_time, rest)) if rest else NEVER
        alarm, blob = self._next(known, due, earliest), buffer.pack(done.state, rest, due)
        if held:
            alarm = self._try_again(key[0], max(now, *map(ingestion, held)))
        return msgspec.structs.replace(done, state=blob, alarm=alarm, held=len(held))

    def _next(self, known: Known, due: int | None, earliest: int) -> int | None:
        """Return the next alarm of a user by what is due and the first signal that waits.

        What is due fires before the signals that the watermark reaches later, else after them.
        """
        alarm = self._alarm(known, due)
        if earliest == NEVER or (alarm is not None and alarm <= earliest):
            return alarm
        return turn_of(earliest, known.slack)

    def _one_by_one(
        self, space: str, known: Known, core: bytes | None, turn: Sequence[Signal]
    ) -> tuple[Taken, list[Signal]]:
        """Handle signals one after the other; each that fails becomes a dead letter.

        Return also those that are left, because the control log is behind. If all fail, the alarm of
        what is due stays, unless it is so early that it has failed before.
        """
        found, encoded = list[AnyOutput](), list[bytes]()
        failed, due = 0, self._alarm(known, due_of(core))
        latest = max(0 if isinstance(one, Time) else order.ingestion_time(one) for one in turn)
        alarm = due if due is not None and due > latest else None
        received: int | None = None
        for place, signal in enumerate(turn):
            done = self._run(space, known, core, (signal,))
            if isinstance(done, Behind):
                alarm = alarm if place else due
                taken = Taken(core, found, encoded, alarm, failed, received=received)
                return taken, list(turn[place:])
            if isinstance(done, Exception):
                letter = dead_letters.of_failure(space, core, signal, done)
                found.append(letter)
                encoded.append(self._encode(letter))
                failed += 1
                alarm = None if isinstance(signal, Time) else alarm
            else:
                core, alarm, received = done.state, done.alarm, received or done.received
                found += done.outputs
                encoded += done.encoded
        return Taken(core, found, encoded, alarm, failed, received=received), []

    def _advance(
        self, key: Key, known: Known, state: bytes | None, signal: Signal
    ) -> Taken | Failed:
        done = self._run(key[0], known, state, (signal,))
        if isinstance(done, Exception):
            return Failed(dead_letters.of_failure(key[0], state, signal, done))
        if not isinstance(done, Behind):
            return done
        if isinstance(signal, Time):
            return Taken(state, (), [], self._try_again(key[0], signal.at + known.slack), held=1)
        alarm = self._try_again(key[0], ingestion(signal))
        return Taken(buffer.add(state, signal, due_of(state)), (), [], alarm, held=1)

    def _try_again(self, space: str, now: int) -> int | None:
        """Return the next alarm of a user whose signals are held.

        A log that is a few seconds behind needs so long to get there; the further it is behind, the
        later. If the watermark is far behind the clock, that may be more than ``LONGEST_HOLD``, since
        a backlog is handled faster than it came.
        """
        behind = now - self._catalogs.of(space).catalog.complete_until
        most = max(LONGEST_HOLD, (self._settings.clock() - now) // 16)
        at = now + max(1_000, min(behind, 5_000 + behind // 16, most))
        return at if at <= self._settings.until else None

    def _run(
        self, space: str, known: Known, state: bytes | None, given: Sequence[Signal]
    ) -> Taken | Behind | Exception:
        done = self._fold(known, known.catalog, state, given)
        if isinstance(done, Behind) and self._settings.loose:
            self._on_behind(space)
            return self._fold(known, known.catalog.complete(NEVER), state, given)
        return done

    def _fold(
        self, known: Known, catalog: Catalog, state: bytes | None, given: Sequence[Signal]
    ) -> Taken | Behind | Exception:
        """Run the core; return what it raises, except MemoryError, which may pass."""
        try:
            done = fold(catalog, state, given, answer)
            if isinstance(done, Behind):
                return done
            rows = accounted(catalog, done.outputs)
            alarm = self._alarm(known, done.wake_at)
            encoded = [self._encode(row) for row in rows]
            return Taken(done.state, rows, encoded, alarm, received=earliest_of(given))
        except MemoryError:
            raise
        except Exception as error:
            return error

    def _alarm(self, known: Known, due: int | None) -> int | None:
        """Return when to wake a user for what is due at an instant.

        The host's watermark is about receipts: at the due time plus the slack it has passed every
        signal that belongs before that time (R1).
        """
        if due is None or due + known.slack > self._settings.until:
            return None
        return due + known.slack


def acts_on_arrival(known: Known, signal: Signal) -> bool:
    """Return True if a signal is handled when it arrives, False if it waits for its turn."""
    if not known.slack or isinstance(signal, Time) or signal.received is None:
        return True
    arrival = known.catalog.at(signal.received).space.arrival
    if isinstance(arrival, bool):
        return arrival
    return isinstance(signal, Event) and signal.name in arrival


def ingestion(signal: Signal) -> int:
    """Return the ingestion time of a signal, or the time of an alarm."""
    return signal.at if isinstance(signal, Time) else order.ingestion_time(signal)


def earliest_of(given: Sequence[Signal]) -> int | None:
    """Return the earliest ingestion time of signals; None for an alarm."""
    if isinstance(given[0], Time):
        return None
    first = order.ingestion_time(given[0])
    return first if len(given) == 1 else min(map(order.ingestion_time, given))


def due_of(state: bytes | None) -> int | None:
    """Return the next due time of a state; None if there is none, or if it cannot be read."""
    try:
        return None if state is None else earliest_due(decode(state))
    except Exception:
        return None


def turn_of(received: int, slack: int) -> int:
    """Return when to handle a waiting signal by its ingestion time: after ``slack`` ms.

    The alarms of a user are some time apart, so that signals that arrive together are handled together.
    """
    turn = received + slack + 1
    apart = max(1, slack // APART)
    return -(-turn // apart) * apart
