"""While the control log of a space is behind, its signals are held; other spaces go on."""

from __future__ import annotations

import random

import msgspec
import pytest

from tests.kit.growing_logs import GrowingLogs
from tests.kit.one_user import KEY, event, messages
from tests.kit.reminders import AT_ONCE_LINES, HOUR, LINES, MINUTE, SPACE, TEN
from tests.kit.turns import MemoryHost
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol import control_records, outputs
from transforms.flows.protocol.signals import Event
from transforms.hosting import buffer
from transforms.hosting.run import LONGEST_HOLD, Stepper
from transforms.hosting.settings import Settings
from transforms.hosting.taken import Failed, Taken

DAY = 24 * HOUR
END = TEN + 3 * DAY
NO_SLACK = tuple(
    control_records.encode_line(msgspec.structs.replace(r, text=r.text.replace("slack: 10s\n", "")))
    if isinstance(r, control_records.SetSpace)
    else control_records.encode_line(r)
    for r in map(control_records.decode_line, LINES)
)
SPACES = pytest.mark.parametrize("lines", [LINES, AT_ONCE_LINES, NO_SLACK], ids=["order", "arrival", "no slack"])  # fmt: skip


def run(logs: GrowingLogs, arrived: list[Event], back: int | None) -> MemoryHost:
    """Deliver events when they happen; ``back`` is when the log is complete again."""
    host = MemoryHost(logs, until=END)
    for signal in sorted(arrived, key=lambda one: (one.received or 0, one.id)):
        if back is not None and (signal.received or 0) > back:
            host.advance(back)
            logs.until[SPACE] = NEVER
        host.advance(signal.received or 0)
        host.deliver(KEY, signal)
    if back is not None:
        host.advance(max(back, *(one.received or 0 for one in arrived)))
        logs.until[SPACE] = NEVER
    host.advance(END)
    return host


@SPACES
def test_held_signals_are_handled_once_the_log_is_complete(lines: tuple[bytes, ...]) -> None:
    """A cart and its order in an outage of the log give what they give without one."""
    given = [
        event("Cart", TEN),
        event("Order", TEN + 10 * MINUTE),
        event("Cart", TEN + 20 * MINUTE),
    ]
    host = run(GrowingLogs(lines, TEN - 1), given, TEN + 2 * HOUR)

    assert host.of(KEY) == run(GrowingLogs(lines, NEVER), given, None).of(KEY)
    assert len(messages(host)) == 0


@SPACES
@pytest.mark.parametrize("seed", range(20))
def test_an_outage_changes_no_output(lines: tuple[bytes, ...], seed: int) -> None:
    """Random events of a user, with the log behind for some time: the same outputs in the same order."""
    rng = random.Random(f"outage {seed}")
    given = []
    for number in range(rng.randint(1, 12)):
        at = TEN + rng.randrange(6 * HOUR)
        name = rng.choice(("Cart", "Cart", "Order", "Page Viewed"))
        given.append(event(name, at, at + rng.randrange(9_000), f"e{number}"))
    from_, back = TEN + rng.randrange(3 * HOUR), TEN + rng.randrange(3 * HOUR, 9 * HOUR)
    host = run(GrowingLogs(lines, from_), given, back)

    assert host.of(KEY) == run(GrowingLogs(lines, NEVER), given, None).of(KEY)


@SPACES
def test_a_stop_in_the_part_that_comes_late_is_obeyed(lines: tuple[bytes, ...]) -> None:
    """Nothing is decided before the log is complete: a stop that comes with it prevents the entry."""
    logs = GrowingLogs(lines, TEN - 1)
    host = MemoryHost(logs, until=END)
    host.deliver(KEY, event("Cart", TEN + HOUR))
    host.advance(TEN + 2 * HOUR)
    assert host.outputs == []
    stop = control_records.Stop(sequence=99, effective_at=TEN, flow="remind")
    logs.records.append(stop)
    logs.until[SPACE] = NEVER
    host.advance(END)

    (refused,) = [outputs.decode(one) for one in host.of(KEY)]
    assert isinstance(refused, outputs.Rejection)
    assert refused.reason == "flow_not_running"


def test_held_users_are_tried_again_a_bounded_number_of_times() -> None:
    """A day without the log, then the end of the input: a few hundred attempts for the user."""
    host = MemoryHost(GrowingLogs(NO_SLACK, TEN - 1), until=END)
    host.deliver(KEY, event("Cart", TEN))
    first = host.timers[KEY]
    host.advance(TEN + DAY)

    assert first == TEN + 1_000
    assert host.timers[KEY] > TEN + DAY
    assert host.wakes < 300


def test_a_held_user_is_tried_again_within_a_minute_of_the_clock() -> None:
    """While the watermark follows the clock, an attempt is at most a minute after the last."""
    now = TEN + DAY
    stepper = Stepper(GrowingLogs(NO_SLACK, TEN), Settings(clock=lambda: now))
    done = stepper.take(KEY, None, event("Cart", now))

    assert isinstance(done, Taken)
    assert (done.held, done.outputs, done.alarm) == (1, (), now + LONGEST_HOLD)


def test_other_spaces_go_on() -> None:
    """A space whose log is behind holds its own signals and timers only."""
    logs = GrowingLogs(LINES, NEVER, (SPACE, "other"))
    logs.until["other"] = TEN + MINUTE
    host = MemoryHost(logs, until=END)
    for space in ("other", SPACE):
        host.deliver((space, "kim"), event("Cart", TEN))
    host.advance(TEN + 2 * HOUR)

    assert len(messages(host)) == 1
    assert {outputs.decode(one).at for one in host.of(("other", "kim"))} == {TEN}
    logs.until["other"] = NEVER
    host.advance(TEN + 4 * HOUR)
    assert len(host.of(("other", "kim"))) == len(host.of(KEY))
    assert len(messages(host)) == 2


@SPACES
def test_a_user_with_too_many_held_signals_gets_dead_letters(lines: tuple[bytes, ...]) -> None:
    """A signal that finds the buffer full is a dead letter with its record; the state stays."""
    stepper, state = Stepper(GrowingLogs(lines, TEN - 1), Settings(clock=lambda: NEVER)), None
    for number in range(buffer.MOST_SIGNALS):
        done = stepper.take(KEY, state, event("Cart", TEN + number, ident=f"c{number}"))
        assert isinstance(done, Taken)
        state = done.state
    done = stepper.take(KEY, state, event("Cart", TEN + DAY))

    assert isinstance(done, Failed)
    assert (done.letter.reason, done.letter.cause) == ("control_behind", f"Cart-{TEN + DAY}")
    assert done.letter.record
