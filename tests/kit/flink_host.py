"""The job's keyed function with states and timers in memory, and what it does with the contract of hosts.

build/flink/env/bin/python -m tests.kit.flink_host
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from pyflink.datastream import TimeDomain

from tests.kit.host_contract import traces
from tests.kit.one_user import KEY, event
from tests.kit.reminders import AT_ONCE, TEN
from transforms.flink.elements import Decided
from transforms.flink.run_flows import RunFlows
from transforms.flink.user_state import pack, to_key, to_name, unpack
from transforms.flows.protocol import outputs, signals
from transforms.flows.protocol.signals import Signal
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.receive import Key
from transforms.hosting.settings import Settings


class FlinkHost:
    """What Flink gives to a keyed function: a state for the current key, timers, and metrics."""

    def __init__(self, logs: Catalogs, settings: Settings) -> None:
        self.outputs: list[tuple[Key, bytes]] = []
        self._kept: dict[str, bytes] = {}
        self._set: set[tuple[int, str]] = set()
        self._name = ""
        self._again: list[str] = []
        self._domain = TimeDomain.EVENT_TIME
        self._given = logs, settings
        self._start()

    @property
    def states(self) -> dict[Key, bytes | None]:
        return {to_key(name): unpack(kept)[1] for name, kept in self._kept.items()}

    @property
    def timers(self) -> dict[Key, int]:
        """The timers; the time of each is also kept beside the state."""
        for at, name in self._set:
            assert unpack(self._kept[name])[0] == at
        assert len({name for _, name in self._set}) == len(self._set)
        return {to_key(name): at for at, name in self._set}

    def damage(self, key: Key, state: bytes) -> None:
        """Replace the state of a user, and start the function anew, which keeps copies."""
        name = to_name(key)
        self._kept[name] = pack(unpack(self._kept[name])[0], state) or b""
        self._start()

    def _start(self) -> None:
        self._function = RunFlows(*self._given)
        self._function.open(self)

    def deliver(self, key: Key, signal: Signal) -> None:
        self._name = to_name(key)
        self._add(self._function.process_element((self._name, signals.encode(signal)), self))

    def advance(self, watermark: int) -> None:
        while self._set and min(self._set)[0] <= watermark:
            at, self._name = min(self._set)
            self._set.remove((at, self._name))
            self._add(self._function.on_timer(at, self))

    def retry(self) -> None:
        """Fire the timers of the clock."""
        self._domain, names = TimeDomain.PROCESSING_TIME, self._again
        self._again = []
        for self._name in names:
            self._add(self._function.on_timer(0, self))
        self._domain = TimeDomain.EVENT_TIME

    def _add(self, found: Iterable[Decided]) -> None:
        for name, made, _ in found:
            self.outputs += [(to_key(name), outputs.encode(one)) for one in made]

    # --- what Flink offers ---------------------------------------------------------------

    def get_state(self, _described: Any) -> FlinkHost:
        return self

    def value(self) -> bytes | None:
        return self._kept.get(self._name)

    def update(self, kept: bytes) -> None:
        self._kept[self._name] = kept

    def clear(self) -> None:
        self._kept.pop(self._name, None)

    def timer_service(self) -> FlinkHost:
        return self

    def time_domain(self) -> TimeDomain:
        return self._domain

    def register_processing_time_timer(self, _at: int) -> None:
        self._again.append(self._name)

    def get_current_key(self) -> str:
        return self._name

    def register_event_time_timer(self, at: int) -> None:
        self._set.add((at, self._name))

    def delete_event_time_timer(self, at: int) -> None:
        self._set.discard((at, self._name))

    def get_metrics_group(self) -> Unread:
        return Unread()


class Unread:
    """Metrics that nobody reads."""

    def add_group(self, _name: str) -> Unread:
        return self

    counter = distribution = add_group

    def inc(self, _number: int) -> None:
        pass

    update = inc


def refuses(host: FlinkHost, clock: list[int]) -> None:
    """An alarm that is refused is set again, once the clock is right, and not twice."""
    host.deliver(KEY, event("Cart", TEN))
    (alarm,) = host.timers.values()
    state = host.states[KEY]
    clock[0] = TEN
    host.advance(alarm)
    assert (host.timers, host.states[KEY]) == ({}, state)
    host.retry()
    assert host.timers == {KEY: alarm}
    host.advance(alarm)
    clock[0] = alarm
    host.retry()
    assert (host.timers, len(host._again)) == ({KEY: alarm}, 0)
    before = len(host.outputs)
    host.advance(alarm)
    assert host.states[KEY] != state
    assert len(host.outputs) > before
    host.retry()
    assert host.timers.get(KEY) != alarm


if __name__ == "__main__":
    now = [TEN]
    refuses(FlinkHost(AT_ONCE, Settings(clock=lambda: now[0])), now)
    sys.stdout.buffer.write(traces(FlinkHost))
