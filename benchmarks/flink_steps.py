"""What ``benchmarks.flink`` compares, as functions of a job; a module of its own, since those of a script
are pickled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, ProcessFunction
from pyflink.datastream.state import ValueStateDescriptor

from benchmarks.core import HOUR
from benchmarks.flink_spent import Parts, Spent
from transforms.flink.elements import Decided, Named
from transforms.flink.publish import Publish
from transforms.flink.run_flows import STATE, RunFlows
from transforms.flink.user_state import pack, to_key, unpack
from transforms.flink.user_steps import UserSteps
from transforms.flows.protocol import signals
from transforms.flows.protocol.signals import Event
from transforms.hosting.counts import StepCounts

OUTPUT_SIZE = 346
"""Bytes of an output's JSON, on average."""
OUTPUTS = {"transition": 12, "message": 3, "communication": 3, "flow_state": 1}
"""How many outputs of each kind an event has that moves three sessions."""
CORE = "core, with the JSON of outputs"
HEAD = b"3fJLJNdoWZZcRUnB-14", b"transition", b"transition:5ce74148cc85d023", b"second"

_PARTS: Parts = {}
"""Seconds of the parts of a job; its functions run in one thread."""


class Watch:
    """Writes to a file what the elements took that follow the first ones."""

    def __init__(self, path: str, before: int, measured: int) -> None:
        self._path = path
        self._first, self._last = before + 1, before + measured
        self._seen = 0

    def note(self) -> None:
        """Count an element, before it is handled."""
        self._seen += 1
        if self._seen == self._first:
            _PARTS.clear()
            self._cpu, self._wall = time.thread_time(), time.monotonic()
        elif self._seen == self._last:
            cpu, wall = time.thread_time() - self._cpu, time.monotonic() - self._wall
            done = Spent(self._last - self._first, cpu, wall, _PARTS)
            new = Path(f"{self._path}.new")
            new.write_bytes(msgspec.json.encode(done))
            new.replace(self._path)


class Flows(RunFlows):
    """The job's function."""

    def __init__(self, watch: Watch, _size: int, *given: Any) -> None:
        super().__init__(*given)
        self._watch = watch

    def process_element(self, value: Named, ctx: Any) -> Iterable[Decided]:
        self._watch.note()
        return super().process_element(value, ctx)


class Empty(KeyedProcessFunction):  # type: ignore[misc]  # Flink has no types
    """The same without flows: it reads and writes a state of ``size`` bytes, moves a timer and makes as
    many outputs.
    """

    def __init__(self, watch: Watch, size: int, *_: Any) -> None:
        self._watch = watch
        self._size = size

    def open(self, runtime_context: Any) -> None:
        described = ValueStateDescriptor(STATE, Types.PICKLED_BYTE_ARRAY())
        self._state = runtime_context.get_state(described)
        self._outputs = [bytes(OUTPUT_SIZE)] * sum(OUTPUTS.values())

    def process_element(self, value: Named, ctx: Any) -> Iterable[Decided]:
        """Handle one event."""
        self._watch.note()
        name, encoded = value
        signal = signals.decode(encoded)
        alarm, blob = unpack(self._state.value())
        assert isinstance(signal, Event)
        timers, due = ctx.timer_service(), (alarm or signal.time) + HOUR
        if alarm is not None:
            timers.delete_event_time_timer(alarm)
        timers.register_event_time_timer(due)
        self._state.update(pack(due, bytes(memoryview(blob or bytes(self._size)))))
        if signal.name == "Order" and signal.properties["total"] >= 50:
            return ((name, (), self._outputs),)
        return ()


class Forward(ProcessFunction):  # type: ignore[misc]
    """Hand outputs on as records, as they are."""

    def __init__(self, topics: dict[str, str], *_: Any, **__: Any) -> None:
        self._topics = [topics[kind] for kind, count in OUTPUTS.items() for _ in range(count)]

    def process_element(self, value: Decided, ctx: Any) -> Iterable[Any]:
        """Handle the outputs of one step."""
        name, _, made = value
        user = to_key(name)[1].encode()
        same = [[one] * len(made) for one in (user, *HEAD)]
        return [(b"bench", [*self._topics], same[0], made, *same[1:])]


def timed(part: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a function takes to a part."""

    def run(*given: Any) -> Any:
        begun = time.thread_time()
        try:
            return work(*given)
        finally:
            _PARTS[part] = _PARTS.get(part, 0.0) + time.thread_time() - begun

    return run


class Inside:
    """An object whose methods are timed, each as a part."""

    def __init__(self, within: Any, **parts: str) -> None:
        self._within = within
        for name, part in parts.items():
            setattr(self, name, timed(part, getattr(within, name)))


class TimedFlows(Flows):
    """The job's function, with the time of its parts."""

    def _make(self, state: Any, stepper: Any, counted: StepCounts) -> UserSteps:
        parts = {"value": "state read", "update": "state write", "clear": "state write"}
        timed_stepper: Any = Inside(stepper, take=CORE, wake=CORE)
        return super()._make(Inside(state, **parts), timed_stepper, counted)

    def process_element(self, value: Named, ctx: Any) -> Iterable[Decided]:
        timers = dict.fromkeys(("register_event_time_timer", "delete_event_time_timer"), "timer")
        within = Inside(ctx.timer_service(), **timers)
        return super().process_element(value, _Context(within))


class _Context:
    def __init__(self, timers: Inside) -> None:
        self._timers = timers

    def timer_service(self) -> Inside:
        return self._timers


class TimedPublish(Publish):
    """The job's function after it, with its time."""

    def open(self, runtime_context: Any) -> None:
        super().open(runtime_context)
        self._timed = timed("records of outputs", super().process_element)

    def process_element(self, value: Decided, ctx: Any) -> Any:
        return self._timed(value, ctx)
