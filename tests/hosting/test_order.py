"""Signals within the allowed lateness are handled in one order, whatever the order of arrival."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest

from pipelines.replay.order import in_order
from tests.kit.one_user import KEY, by_the_core, event, host_of, messages
from tests.kit.reminders import AT_ONCE, HOUR, LOGS, MINUTE, SLACK, SPACE, TEN, log_lines
from tests.kit.simulate import PER_WORLD, make
from tests.kit.turns import MemoryHost, turns
from transforms.flows.engine.messages.cost import accounted
from transforms.flows.engine.step import Done, fold
from transforms.flows.engine.working import decode
from transforms.flows.protocol import control_records, outputs
from transforms.flows.protocol.signals import (
    Command,
    CommunicationUpdate,
    Event,
    Forwarded,
    ProfileChange,
    Signal,
    Time,
    encode,
)
from transforms.hosting import buffer
from transforms.hosting.catalogs import FixedLogs, read_once
from transforms.hosting.order import in_event_order, in_turn, ingestion_time
from transforms.hosting.run import Stepper
from transforms.hosting.sandbox import answer
from transforms.hosting.taken import Taken

SECOND = 1_000
DAY = 24 * HOUR


def test_an_order_that_arrives_before_its_cart_ends_the_wait() -> None:
    """Cart and order that are swapped by 3 s send no reminder to a buyer (R1)."""
    cart, order = event("Cart", TEN, TEN + 3 * SECOND), event("Order", TEN + SECOND, TEN + SECOND)
    end = TEN + 2 * HOUR

    swapped = host_of([order, cart], end)

    assert messages(swapped) == []
    assert swapped.of(KEY) == by_the_core([event("Cart", TEN, ident=cart.id), order], end)
    assert swapped.of(KEY) == host_of([cart, order], end).of(KEY)


def test_an_order_that_arrives_after_the_timeout_within_the_lateness_is_in_time() -> None:
    """An order from before the end of the wait, received up to 10 s after it, ends the wait."""
    order = event("Order", TEN + HOUR - 1, TEN + HOUR - 1 + SLACK)
    page = event("Cart", TEN + HOUR + 1, TEN + HOUR + 1, "again")

    host = host_of([event("Cart", TEN), page, order], TEN + HOUR + MINUTE)

    assert messages(host) == []


def test_signals_with_equal_times_are_in_order_of_sequence_and_id() -> None:
    """Equal event times are in order of the sequence, then of the id, as in a replay (R3)."""
    base = event("Cart", TEN)
    given = [
        msgspec.structs.replace(base, id=ident, sequence=sequence)
        for ident, sequence in (("b", 1), ("a", 2), ("d", 1), ("c", 0))
    ]

    turn, rest = in_turn(list(given), SLACK, TEN + SLACK + 1)

    assert [signal.id for signal in turn] == ["c", "b", "d", "a"]  # type: ignore[union-attr]
    assert rest == []
    assert turn == in_order([(place << 1, signal) for place, signal in enumerate(given)], False)


def shuffled(given: list[Signal], lag: int, rng: random.Random) -> list[Signal]:
    """Return a random order of arrival; a record is at most ``lag`` behind others."""
    return sorted(given, key=lambda signal: ingestion_time(signal) + rng.randrange(lag + 1))


def delayed(given: list[Signal], most: int, rng: random.Random) -> list[Signal]:
    """Delay each ingestion time at random by up to ``most``."""
    return [
        msgspec.structs.replace(s, received=ingestion_time(s) + rng.randrange(most + 1))
        for s in given
    ]  # fmt: skip


def stories(rng: random.Random) -> Iterator[list[Signal]]:
    """Yield random signals of one user, with bursts, equal times and times that lie far apart."""
    for _ in range(300):
        at, found = TEN, list[Signal]()
        for n in range(rng.randrange(1, 12)):
            at += rng.choice((0, 0, 1, 700, 4_000, 9_999, 10_001, 60_000))
            found.append(Event(id=f"e{rng.random()}", user="kim", name="Cart", time=at, received=at + rng.choice((0, 5, 60_000)), sequence=rng.choice((0, n))))  # fmt: skip
        yield found


def released(arrived: list[Signal], rng: random.Random) -> list[Signal]:
    """Give signals their turns while the watermark advances in random steps."""
    waiting, found, to_come = list[Signal](), list[Signal](), list(arrived)
    while to_come or waiting:
        some = rng.randrange(len(to_come) + 1)
        waiting += to_come[:some]
        to_come = to_come[some:]
        if to_come:
            watermark = min(map(ingestion_time, to_come)) - rng.choice((0, 0, 5_000))
        else:
            watermark = max(map(ingestion_time, waiting), default=0) + SLACK + 1
        turn, waiting = in_turn(waiting, SLACK, watermark)
        found += turn
    return found


def test_turns_do_not_depend_on_the_watermark() -> None:
    """Any order of delivery and any steps of the watermark give the same order of handling."""
    rng = random.Random(5)
    for given in stories(rng):
        arrived = delayed(given, 3 * SLACK, rng)
        wanted = list(turns(arrived, SLACK))

        for _ in range(4):
            assert released(shuffled(arrived, MINUTE, rng), rng) == wanted


def test_out_of_order_within_the_lateness_is_the_order_of_a_replay() -> None:
    """Records that are out of order by at most the allowed lateness are handled like a replay's."""
    rng = random.Random(6)
    for given in stories(rng):
        in_time = [msgspec.structs.replace(s, received=s.time) for s in given]  # type: ignore[union-attr]
        arrived = delayed(in_time, SLACK, rng)
        placed = [(place << 1, signal) for place, signal in enumerate(arrived)]

        assert released(shuffled(arrived, MINUTE, rng), rng) == in_order(placed, audit=False)


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 400])
def test_shuffled_histories_are_those_in_order(first: int) -> None:
    """Random histories, shuffled within the allowed lateness and with duplicates, give the bytes of
    input in order: outputs and state (R1, R3, R5).
    """
    checked = 0
    for seed in range(first, first + 400):
        found = make(seed)
        slack = max(epoch.space.slack for epoch in found.world.catalog().epochs)
        if not slack or any(given.broke for given in found.handled):
            continue
        rng = random.Random(f"shuffled {seed}")
        key = (f"w{seed // PER_WORLD}", found.user)
        logs = FixedLogs({key[0]: tuple(map(control_records.encode_line, found.world.records))})
        given = [_timely(handled.signal) for handled in found.handled]
        ordered = in_event_order(given)
        end = max(found.until, ingestion_time(ordered[-1])) + DAY
        done = fold(found.world.catalog(), None, [*ordered, Time(user=key[1], at=end)], answer)
        assert isinstance(done, Done)

        arrived = delayed(ordered, slack, rng)
        arrived += [signal for signal in arrived if rng.random() < 0.2]
        arrived = shuffled(arrived, MINUTE, rng)
        host = MemoryHost(logs)
        for place, signal in enumerate(arrived):
            host.advance(min(map(ingestion_time, arrived[place:])) - rng.choice((0, 0, MINUTE)))
            host.deliver(key, signal)
        host.advance(end + slack)
        state = fold(found.world.catalog(), host.states[key], [Time(user=key[1], at=end)], answer)
        assert isinstance(state, Done)
        rows = host.of(key) + [outputs.encode(row) for row in state.outputs]
        wanted = accounted(found.world.catalog(), done.outputs)
        assert rows == [outputs.encode(row) for row in wanted], seed
        assert state.state == done.state, seed
        checked += 1
    assert checked > 80


@pytest.mark.slow
def test_purchases_of_the_same_day_are_in_the_order_of_a_replay() -> None:
    """Stream and replay agree for users of the sample with several purchases at the same time."""
    differ, checked = differing_users(every=4)

    assert checked > 100
    assert differ == []


def differing_users(every: int) -> tuple[list[str], int]:
    """Compare the stream, in any order and with duplicates, with a replay, for users of the sample.

    One in ``every`` users with equal times is taken, or, for 0, all users.
    """
    from tests.kit.stream_purchases import UNTIL, control_lines, purchases

    log, rng = control_lines(), random.Random(9)
    catalog = read_once(log).catalog
    users: dict[str, list[Signal]] = {}
    for purchase in purchases(10**9):
        users.setdefault(purchase.user, []).append(purchase)
    equal = [user for user, mine in users.items() if len({s.time for s in mine}) < len(mine)]  # type: ignore[union-attr]
    chosen = equal[::every] if every else [*users]
    differ = []
    for user in chosen:
        placed = [(place << 1, signal) for place, signal in enumerate(users[user])]
        last = Time(user=user, at=UNTIL)
        done = fold(catalog, None, [*in_order(placed, audit=False), last])
        assert isinstance(done, Done)
        arrived = [_timely(signal) for signal in users[user]]
        arrived = shuffled(arrived + rng.sample(arrived, len(arrived) // 3), SLACK, rng)
        host, key = MemoryHost(FixedLogs({SPACE: log}), until=UNTIL + SLACK), (SPACE, user)
        for place, signal in enumerate(arrived):
            host.advance(min(map(ingestion_time, arrived[place:])))
            host.deliver(key, signal)
        host.advance(UNTIL + 2 * SLACK)
        wanted = [outputs.encode(row) for row in accounted(catalog, done.outputs)]
        differ += [user] if host.of(key) != wanted else []
    return differ, len(chosen)


def _timely(signal: Signal) -> Signal:
    """Return a signal that was received when it happened."""
    return msgspec.structs.replace(signal, received=signal.time)  # type: ignore[union-attr]


def test_a_forwarded_signal_has_the_place_of_the_signal_in_it() -> None:
    """What another key forwards is in the order of the signals inside (R8)."""
    forwarded = [
        Forwarded(id=ident, user="kim", time=TEN, received=TEN, source="anon:1", signal=encode(event(name, TEN)))
        for ident, name in (("a", "Z"), ("b", "A"))
    ]  # fmt: skip

    assert [signal.id for signal in in_event_order([*forwarded])] == ["b", "a"]  # type: ignore[union-attr]


def test_order_of_arrival_acts_at_once() -> None:
    """In a space with ``order: arrival`` a signal is handled when it arrives."""
    done = Stepper(AT_ONCE).take(KEY, None, event("Cart", TEN))

    assert isinstance(done, Taken)
    assert done.outputs
    assert decode(done.state or b"").sessions
    assert done.alarm == TEN + HOUR + SLACK


def test_an_event_of_arrival_brings_earlier_ones_with_it() -> None:
    """An event that acts on arrival is handled after the waiting ones with earlier times."""
    logs = FixedLogs({SPACE: log_lines("order: {Order: arrival}\n")})
    host = MemoryHost(logs)
    host.deliver(KEY, event("Cart", TEN))
    host.deliver(KEY, event("Cart", TEN + 5 * SECOND))
    assert host.outputs == []

    host.deliver(KEY, event("Order", TEN + 3 * SECOND))

    rows = [outputs.decode(encoded) for _, encoded in host.outputs]
    moves = [row.what for row in rows if isinstance(row, outputs.Transition)]
    assert moves[:4] == ["entered", "reached", "waiting", "left"]
    assert [signal.time for signal in buffer.unpack(host.states[KEY])[1]] == [TEN + 5 * SECOND]  # type: ignore[union-attr]


def test_signals_of_every_kind_wait() -> None:
    """Commands, profile changes and delivery reports wait for their turn like events."""
    base = {"user": "kim", "time": TEN, "received": TEN}
    given: list[Signal] = [
        Command(id="w", what="wake", **base),
        Command(id="x", what="erase", **base),
        ProfileChange(id="p", set={"a": 1}, **base),
        CommunicationUpdate(id="c", communication="m", status="opened", **base),
    ]
    for signal in given:
        done = Stepper(LOGS).take(KEY, None, signal)

        assert isinstance(done, Taken)
        assert not done.outputs
        assert buffer.unpack(done.state) == (None, [signal])
