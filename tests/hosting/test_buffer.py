"""Waiting signals: one wake for several, limits, failures, and the bytes of the buffer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.one_user import KEY, by_the_core, event, host_of, messages
from tests.kit.reminders import HOUR, LINES, LOGS, MINUTE, SLACK, TEN
from tests.kit.turns import MemoryHost
from transforms.flows.engine.step import Done, fold
from transforms.flows.protocol import outputs
from transforms.flows.protocol.signals import (
    Command,
    Signal,
)
from transforms.hosting import buffer
from transforms.hosting.catalogs import read_once
from transforms.hosting.order import ingestion_time
from transforms.hosting.run import Stepper, turn_of
from transforms.hosting.settings import Settings
from transforms.hosting.taken import Failed, Taken

GOLDEN = Path(__file__).parent / "golden_buffers"
SECOND = 1_000
DAY = 24 * HOUR


def test_signals_that_arrive_together_are_handled_in_one_wake() -> None:
    """Several waiting signals are handled when the timer of the user fires once."""
    given: list[Signal] = [event("Cart", TEN + 100 * n) for n in range(8)]

    host = host_of(given, TEN + MINUTE)

    assert host.wakes == 1
    assert host.of(KEY) == by_the_core(given, TEN + MINUTE)


def test_a_wait_ends_at_its_time_while_signals_wait() -> None:
    """A wait that is due before the waiting signals ends before them, and is not delayed by them."""
    cart, other = event("Cart", TEN), event("Cart", TEN + HOUR + SLACK + SECOND)
    host = MemoryHost(LOGS)
    host.deliver(KEY, cart)
    host.advance(TEN + MINUTE)
    host.deliver(KEY, other)

    host.advance(turn_of(other.received or 0, SLACK))

    assert [message.at for message in messages(host)] == [TEN + HOUR]


def test_a_signal_far_ahead_of_the_watermark_delays_no_wait() -> None:
    """A wait ends when the watermark reaches it, although a signal of the next day waits already."""
    host = MemoryHost(LOGS)
    host.deliver(KEY, event("Cart", TEN))
    host.advance(TEN + MINUTE)
    host.deliver(KEY, event("Cart", TEN + DAY))
    host.deliver(KEY, event("Cart", TEN + 2 * DAY))

    host.advance(TEN + HOUR + SLACK)

    assert [message.at for message in messages(host)] == [TEN + HOUR]
    assert len(buffer.unpack(host.states[KEY])[1]) == 2


def test_a_timer_while_signals_wait_fires_only_what_is_before_them() -> None:
    """The due time of a wait is passed only when no signal before it waits any more."""
    host = MemoryHost(LOGS)
    host.deliver(KEY, event("Cart", TEN))
    host.advance(TEN + MINUTE)
    host.deliver(KEY, event("Order", TEN + HOUR - SECOND, TEN + HOUR))

    done = host.stepper.wake(KEY, host.states[KEY], TEN + HOUR + SLACK)

    assert isinstance(done, Taken)
    assert not done.outputs
    assert buffer.unpack(done.state)[1] == buffer.unpack(host.states[KEY])[1]


def test_a_full_buffer_is_handled_early_in_order() -> None:
    """Over the limit the first half of the waiting signals is handled early; none is lost."""
    half = buffer.MOST_SIGNALS // 2 + 1
    given: list[Signal] = [event("Cart", TEN + n) for n in range(5 * half)]

    host = host_of([*given], TEN + MINUTE)

    assert host.early == 4 * half
    assert host.of(KEY) == by_the_core(given, TEN + MINUTE)


def test_large_signals_do_not_wait_beyond_the_limit() -> None:
    """Over the limit in bytes all waiting signals are handled early."""
    large = event("Cart", TEN)
    large.properties["note"] = "x" * buffer.MOST_BYTES

    done = Stepper(LOGS).take(KEY, None, large)

    assert isinstance(done, Taken)
    assert done.early == 1
    assert done.outputs
    assert not buffer.is_buffer(done.state)


def test_a_draining_runner_hands_no_signals_over_early() -> None:
    """The timer of waiting signals is refused before its time by the clock; nothing changes."""
    waits = Stepper(LOGS).take(KEY, None, event("Cart", TEN))
    assert isinstance(waits, Taken)
    assert waits.alarm == turn_of(TEN, SLACK)
    early = Stepper(LOGS, Settings(clock=lambda: TEN - MINUTE))
    in_time = Stepper(LOGS, Settings(clock=lambda: waits.alarm or 0))

    assert early.wake(KEY, waits.state, waits.alarm) is None
    assert isinstance(in_time.wake(KEY, waits.state, waits.alarm), Taken)


def test_a_signal_that_fails_does_not_affect_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of signals that are handled together, one that fails becomes a dead letter alone."""
    from transforms.hosting import run

    def breaking(catalog, state, given, answer=None):  # type: ignore[no-untyped-def]
        given = list(given)
        if any(getattr(signal, "id", "") == "bad" for signal in given):
            raise ValueError
        return fold(catalog, state, given, answer)

    monkeypatch.setattr(run, "fold", breaking)
    given = [event("Cart", TEN), event("Cart", TEN + 1, ident="bad"), event("Order", TEN + 2)]

    host = host_of([*given], TEN + MINUTE)

    rows = [outputs.decode(encoded) for encoded in host.of(KEY)]
    letters = [row for row in rows if isinstance(row, outputs.DeadLetter)]
    assert [letter.cause for letter in letters] == ["bad"]
    assert host.failed == 1
    others = [outputs.encode(row) for row in rows if not isinstance(row, outputs.DeadLetter)]
    assert others == by_the_core([given[0], given[2]], TEN + MINUTE)


def test_a_state_that_cannot_be_read_does_not_end_the_waiting() -> None:
    """Waiting signals of an unreadable state become dead letters; the state stays as it is."""
    blob = buffer.add(b"\x7fnewer", event("Cart", TEN), None)

    done = Stepper(LOGS).wake(KEY, blob, turn_of(TEN, SLACK))

    assert isinstance(done, Taken)
    (letter,) = done.outputs
    assert isinstance(letter, outputs.DeadLetter)
    assert (letter.reason, letter.cause) == ("unreadable_state", f"Cart-{TEN}")
    assert (done.state, done.alarm, done.failed) == (b"\x7fnewer", None, 1)


@pytest.mark.parametrize("cut", [1, 10, -1])
def test_a_damaged_buffer_takes_no_signal(cut: int) -> None:
    """A buffer that is cut off, or of a newer version, gives a dead letter for each signal."""
    blob = buffer.add(None, event("Cart", TEN), None)
    for broken in (blob[:cut], bytes([buffer.VERSION + 1]) + blob[1:]):
        stepper = Stepper(LOGS)
        taken = stepper.take(KEY, broken, event("Order", TEN))
        for done in (taken, stepper.wake(KEY, broken, TEN + MINUTE)):
            assert isinstance(done, Failed)
            assert done.letter.reason == "unreadable_state"


EXAMPLES: dict[str, tuple[bytes | None, list[Signal]]] = {
    "new_user": (None, [event("Cart", TEN)]),
    "known_user": (
        b"\x01\x93state",
        [
            event("Order", TEN + 5, TEN + 7),
            Command(id="w", user="kim", time=TEN, received=TEN + 1, what="wake"),
        ],
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_golden_buffers(name: str) -> None:
    """The bytes of a buffer do not change, and those of every released version stay readable."""
    state, waiting = EXAMPLES[name]
    blob, due = state, TEN + HOUR if state else None
    for signal in waiting:
        blob = buffer.add(blob, signal, due)
    golden = (GOLDEN / f"v1-{name}.bin").read_bytes()

    assert blob == golden == buffer.pack(state, waiting, due)
    assert buffer.unpack(golden) == (state, waiting)
    head = buffer.head_of(golden)
    assert (head.earliest, head.due) == (min(map(ingestion_time, waiting)), due)


def test_states_of_released_versions_are_no_buffers() -> None:
    """A state that a released version wrote has no envelope, and is read as it is."""
    folder = GOLDEN.parents[1] / "flows" / "golden_states" / "released"
    for path in sorted(folder.glob("*.msgpack")):
        blob = path.read_bytes()

        assert not buffer.is_buffer(blob)
        assert buffer.unpack(blob) == (blob, [])
        assert buffer.unpack(buffer.add(blob, event("Cart", TEN), None))[0] == blob


def test_a_user_without_waiting_signals_has_the_state_of_the_core() -> None:
    """Once nothing waits, the blob is that of the core alone."""
    given = event("Cart", TEN)

    host = host_of([given], TEN + MINUTE)

    done = fold(read_once(LINES).catalog, None, [given])
    assert isinstance(done, Done)
    assert host.states[KEY] == done.state
