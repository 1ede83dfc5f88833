"""Signals between the keys of a user pass through the events topic; expired tombstones leave no
state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import msgspec
import pytest
from apache_beam.utils.timestamp import Timestamp

from tests.kit.pubsub_servers import World, ordered_world
from tests.kit.reminders import DAY, HOUR, LINES, LOGS, MINUTE, SPACE, TEN
from tests.kit.streams import At, Step, message, run
from transforms.beam.elements import Decided
from transforms.beam.receive import Receive
from transforms.beam.run_flows import RunFlows
from transforms.beam.write_outputs import Publish
from transforms.flows.engine.identity.handover import as_signal
from transforms.flows.engine.step import Done, step
from transforms.flows.protocol import outputs, signals
from transforms.flows.protocol.signals import (
    Command,
    Event,
    Forwarded,
    Handover,
    ProfileChange,
    Signal,
)
from transforms.hosting.catalogs import read_once
from transforms.hosting.receive import Key
from transforms.hosting.settings import Settings
from transforms.sinks.outgoing import LOOPED
from transforms.wire.messages import to_signal

CATALOG = read_once(LINES).catalog


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with ordered_world(monkeypatch) as found:
        yield found


def cart(user: str, at: int) -> Event:
    """Return an event that starts the flow."""
    return Event(id=f"cart-{user}-{at}", user=user, time=at, received=at, name="Cart")


def decided(state: bytes | None, *given: Signal) -> tuple[bytes | None, list[outputs.AnyOutput]]:
    """Run signals of one key on the core."""
    found: list[outputs.AnyOutput] = []
    for signal in given:
        done = step(CATALOG, state, signal)
        assert isinstance(done, Done)
        state = done.state
        found += done.outputs
    return state, found


def published(found: list[outputs.AnyOutput], topic: str) -> None:
    """Publish outputs as the job does."""
    pipeline = beam.Pipeline(runner="BundleBasedDirectRunner")
    given = [((SPACE, o.user), [outputs.encode(o)]) for o in found]
    made = pipeline | "Outputs" >> beam.Create([given]).with_output_types(list[Decided])
    each = made | "Each" >> beam.FlatMap(list).with_output_types(Decided)
    _ = each | "Publish" >> beam.ParDo(Publish(dict.fromkeys(LOOPED, topic)))
    pipeline.run().wait_until_finish()


def test_a_handover_returns_through_the_events_topic(world: World) -> None:
    """What a key publishes for another key is read back in order and unchanged (R8)."""
    identify = ProfileChange(
        id="i", user="anon:7", becomes="kim", time=TEN + MINUTE, set={"name": "Kim"}
    )
    order = Event(id="o", user="anon:7", time=TEN + 2 * MINUTE, name="Order")
    _, told = decided(None, cart("anon:7", TEN), identify, order)

    published(told, world.topic)
    received = [one.message for one in world.pull_all(3)]
    back = [to_signal(one.data, one.attributes) for one in received]

    assert back == [signal for signal in map(as_signal, told) if signal is not None]
    assert [type(one) for one in back] == [Handover, Forwarded, Forwarded]
    assert {one.ordering_key for one in received} == {"kim"}
    _, found = decided(None, *back)  # type: ignore[arg-type]
    assert [o.goal for o in found if isinstance(o, outputs.Conversion)] == ["ordered"]


@pytest.mark.parametrize(("joins", "user"), [(True, "anon:7"), (False, "kim")])
def test_without_a_handover_topic_keys_are_not_merged(joins: bool, user: str) -> None:
    """Without a topic for handovers, an identify only changes the profile: no state is handed over
    (R8).
    """
    body = {"type": "identify", "messageId": "i", "timestamp": TEN, "userId": "kim"}
    given = message(msgspec.json.encode(body | {"anonymousId": "7"}), TEN)

    (found,) = Receive(LOGS, SPACE, joins).process(given[0], Timestamp(micros=TEN * 1000))

    assert isinstance(found, tuple)
    assert found[0] == (SPACE, user)
    signal = signals.decode(found[1])
    assert isinstance(signal, ProfileChange)
    assert (signal.becomes is None) is not joins


HELD: list[bytes | None] = []


class Seen(RunFlows):
    """The job's step, together with the user's stored state before each signal."""

    def process(
        self, element: tuple[Key, bytes], state: Any = RunFlows.STATE, wake: Any = RunFlows.ALARM
    ) -> Any:
        HELD.append(state.read())
        return super().process(element, state, wake)


def test_an_expired_tombstone_leaves_no_state() -> None:
    """The state of an erased user is cleared after 30 days; a later signal starts a new user (R32)."""
    erase = Command(id="x", user="kim", time=TEN + MINUTE, received=TEN + MINUTE, what="erase")
    again = cart("kim", TEN + 31 * DAY)

    def arrives(*given: Signal) -> Step:
        return [
            (((SPACE, s.user), signals.encode(s)), s.received or 0)  # type: ignore[union-attr]
            for s in given
        ]

    steps: list[Step] = [
        TEN - 1,
        arrives(cart("kim", TEN)),
        TEN + MINUTE,
        arrives(erase),
        TEN + 30 * DAY + HOUR,
        arrives(again),
    ]
    HELD.clear()
    flows = Seen(LOGS, Settings(until=TEN + 31 * DAY, clock=At()))
    made = run(steps, tuple[Key, bytes], lambda given: given | "Run" >> beam.ParDo(flows))

    found = [outputs.decode(encoded) for _, encoded in made.outputs]
    numbers = [o.sequence for o in found if isinstance(o, outputs.FlowState | outputs.Erased)]
    assert numbers == [TEN, TEN + 1, TEN + 31 * DAY]
    assert [blob is None for blob in HELD] == [True, False, True]
