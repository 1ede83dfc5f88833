"""``python -m benchmarks.capacity``: what a user, a wait and a row need, for the arithmetic of a cluster.

Sizes are those of the benchmark's flows: three sessions of a user, each with a wait of 30 days. Each
fifth order sends a message for each session, which the state remembers, as it does the orders' ids.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from tempfile import TemporaryDirectory

from benchmarks.core import HOUR, MOVES, START, catalog, event_step
from benchmarks.ratios import Figure, in_turns, ratio, show, timed
from benchmarks.tables import SIZES, row, table
from transforms.flows.engine.step import Done, fold, step
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import AnyOutput, FlowState
from transforms.flows.protocol.signals import Event, Time
from transforms.sinks.redis import open_states, state_key

SPACE = "bench"
DAY = 24 * HOUR
STORED = 1_000
"""Users in Redis."""


def user(orders: int) -> tuple[bytes, tuple[AnyOutput, ...]]:
    """Return the state of a user with three waiting sessions and some orders, and all outputs."""
    signup = Event(id="signup", user="user-0001", time=START, name="Signup")
    minute = HOUR // 60
    given = [
        Event(id=f"order-{n:08}", user="user-0001", time=START + n * minute, name="Order",
              properties={"total": 60 if n % 5 == 0 else 10})
        for n in range(1, orders + 1)
    ]  # fmt: skip
    done = fold(catalog(MOVES), None, [signup, *given])
    assert isinstance(done, Done)
    assert done.state is not None
    return done.state, done.outputs


def end_of_wait() -> Callable[[], object]:
    """End one wait of each of three sessions, which end with it."""
    known, (state, _) = catalog(MOVES), user(10)
    times = count(START + 40 * DAY)

    def one() -> Done:
        done = step(known, state, Time(user="user-0001", at=next(times)))
        assert isinstance(done, Done)
        return done

    assert sum("ended" in str(output) for output in one().outputs) == 3
    return one


def sizes() -> Iterator[Figure]:
    """Measure states, rows and flow states in bytes."""
    for orders in (0, 10, 100, 2_000):
        name = f"state of a user with 3 waiting sessions, after {orders:,} orders"
        yield Figure(name=name, value=len(user(orders)[0]), unit="bytes")
    _, made = user(5)
    rows = [output for output in made if output.at == START + 5 * HOUR // 60]
    yield Figure(name="outputs of an event that moves 3 sessions", value=len(rows), unit="rows")
    with TemporaryDirectory() as out:
        size = SIZES[-1]
        written = table([outputs.encode(row(number)) for number in range(size)], out)
        yield Figure(name="row of a table in Parquet", value=written / size, unit="bytes")
    yield Figure(name="flow state of 3 sessions in Redis", value=in_redis(), unit="bytes")


def in_redis() -> float:
    """Measure a flow state in Redis, with its key."""
    *_, newest = (output for output in user(10)[1] if isinstance(output, FlowState))
    kit = import_module("tests.kit.redis_server")  # the tests are not typed
    with kit.RedisServer("valkey") as server:
        states = open_states(server.url)
        client = states._client  # noqa: SLF001
        names = [f"user-{number:08}" for number in range(STORED)]
        before = client.info("memory")["used_memory"]
        states.write(
            (SPACE, FlowState(name, name, newest.at, 1, newest.flows, newest.promotions))
            for name in names
        )
        assert client.exists(state_key(SPACE, names[0]))
        return float((client.info("memory")["used_memory"] - before) / STORED)


def figures(rounds: int, times: int) -> Iterator[Figure]:
    """Measure sizes, then the cost of a wait beside that of an event."""
    yield from sizes()
    floor = "event that moves them"
    contestants = {"wait": timed(end_of_wait(), times), floor: timed(event_step(1), times)}
    spent = in_turns(contestants, rounds)
    yield Figure(
        name="end of the waits of 3 sessions", floor=floor, value=ratio(spent, "wait", floor)
    )
    for name, taken in spent.items():
        yield Figure(name=f"{name}, 3 sessions, by itself", value=min(taken), unit="us")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    asked = parser.parse_args()
    return show(figures(1 if asked.quick else 5, 100 if asked.quick else 2_000))


if __name__ == "__main__":
    raise SystemExit(main())
