"""The whole job on real servers, with every fault: topics, flow states, tables, numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
import pytest

from pipelines.stream import build
from pipelines.stream_options import Sinks, topics_of
from tests.kit import bundle_runner, drain_topic, streams
from tests.kit.pubsub_faults import Faults
from tests.kit.pubsub_server import PubSubServer
from tests.kit.pubsub_servers import World
from tests.kit.redis_server import RedisServer
from tests.kit.reminders import HOUR, LINES, LOGS, MINUTE, SLACK, SPACE, TEN, track
from transforms.flows.engine.step import Done, fold
from transforms.flows.protocol import outputs, signals
from transforms.flows.protocol.signals import Event, Time
from transforms.hosting.catalogs import read_once
from transforms.hosting.settings import Settings
from transforms.metrics import Counts, add
from transforms.metrics import rows as numbers_of
from transforms.sinks.part_files import listed
from transforms.sinks.redis import open_states
from transforms.sources.pubsub.beam_source import Received
from transforms.sources.pubsub.leases import Settings as Subscription
from transforms.wire.messages import from_message
from transforms.wire.rows import to_row

USERS = 12
END = TEN + 3 * HOUR
FAULTS = {
    "none": Faults(),
    "duplicate": Faults(seed=1, duplicate=0.3),
    "lose_ack": Faults(seed=2, lose_ack=0.3),
    "expire_lease": Faults(seed=3, expire_lease=0.3),
    "nack_ordered": Faults(seed=4, nack_ordered=0.2),
    "unavailable": Faults(seed=5, unavailable=0.2),
    "lose_answer": Faults(seed=6, lose_answer=0.2),
    "all": Faults(
        seed=7, duplicate=0.2, lose_ack=0.2, expire_lease=0.2, nack_ordered=0.1,
        unavailable=0.1, lose_answer=0.1, delay_ms=50,
    ),
}  # fmt: skip


def events() -> list[Event]:
    """Return a cart of every user, orders of a third of them, and an invalid message."""
    found = []
    for n in range(USERS):
        base = {"user": f"u{n}", "received": TEN + n * MINUTE, "time": TEN + n * MINUTE}
        found.append(Event(id=f"cart-{n}", name="Cart", **base))
        if n % 3 == 0:
            base |= {"received": TEN + 50 * MINUTE, "time": TEN + 40 * MINUTE}
            found.append(Event(id=f"order-{n}", name="Order", **base))
    return found


def by_the_core() -> dict[str, list[outputs.AnyOutput]]:
    """Fold each user's events, then advance the time."""
    found = {}
    for n in range(USERS):
        given: list[signals.Signal] = [e for e in events() if e.user == f"u{n}"]
        catalog = read_once(LINES).catalog
        done = fold(catalog, None, [*given, Time(user=f"u{n}", at=END)])
        assert isinstance(done, Done)
        found[f"u{n}"] = list(done.outputs)
    return found


class Ran:
    """What one run of the job left on its servers and in its folder."""

    def __init__(self, faults: Faults, redis: str, out: Path) -> None:
        self.out = out / SPACE
        self.lossy = faults.lose_ack or faults.expire_lease or faults.nack_ordered
        with PubSubServer() as server, pytest.MonkeyPatch.context() as patch:
            patch.setenv("PUBSUB_EMULATOR_HOST", server.address)
            world = World(ordered=True)
            topics = self._topics(world)
            self._publish(world, server, faults)
            asked = Subscription(subscription=world.subscription, timestamp_attribute="receipt")
            found = drain_topic.drain(asked, len(events()) + 2)
            self.early = server.calls("Acknowledge")
            sinks = Sinks(topics=topics, redis=redis, tables=str(out), file_wait=None, pace=None)
            self._run(found, sinks)
            self.waiting = server.unacked(world.subscription)
            found.finalize()
            self.left = server.unacked(world.subscription)
            server.faults = Faults()
            self.pulled = self._pull(world, server, topics)
            found.reader.close()
            world.close()

    @staticmethod
    def _topics(world: World) -> dict[str, str]:
        made = topics_of(world.project.rpartition("/")[2])
        for name in sorted(set(made.values()) - {world.topic}):
            world.publisher.create_topic(name=name)
            path = name.replace("/topics/", "/subscriptions/")
            world.subscriber.create_subscription(
                request={"name": path, "topic": name, "enable_message_ordering": True}
            )
        return made

    @staticmethod
    def _publish(world: World, server: PubSubServer, faults: Faults) -> None:
        server.faults = faults
        for event in events():
            data = track(event.id, event.user, event.name, event.time)
            receipt = str(event.received)
            world.publish(data.decode(), key=event.user, id=event.id, receipt=receipt, space=SPACE)
        world.publish("no JSON", key="x", id="bad-1", receipt=str(TEN), space=SPACE)
        world.publish("any", key="y", id="bad-2", receipt=str(TEN), space="nowhere")

    @staticmethod
    def _run(found: drain_topic.Drained, sinks: Sinks) -> None:
        bundle_runner.quicken()
        steps = [*drain_topic.script(found.deliveries, SLACK, TEN), *range(TEN, END, 10 * MINUTE)]
        with beam.Pipeline(bundle_runner.NAME, options=streams.options()) as pipeline:
            typed = beam.Map(streams.same).with_output_types(Received)
            messages = pipeline | "Script" >> streams.stream_of(steps) | "Typed" >> typed
            settings = Settings(until=END, clock=streams.At())
            build(messages, LOGS, sinks, space=SPACE, settings=settings)

    @staticmethod
    def _pull(world: World, server: PubSubServer, topics: dict[str, str]) -> dict[str, list[Any]]:
        got: dict[str, list[Any]] = defaultdict(list)
        for topic in sorted(set(topics.values()) - {world.topic}):
            path = topic.replace("/topics/", "/subscriptions/")
            while server.unacked(path):  # messages that the faults delayed may still be in transit
                some = world.pull(1000, path)
                got[topic.rpartition("/")[2]] += [each.message for each in some]
                world.subscriber.acknowledge(subscription=path, ack_ids=[e.ack_id for e in some])
        return got

    def table(self, kind: str) -> list[dict[str, Any]]:
        """Read the files that a table's manifest lists."""
        return [
            row
            for file in listed(kind, self.out)
            for row in pq.ParquetFile(file).read().to_pylist()
        ]


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with RedisServer("valkey") as server:
        yield server.url


@pytest.fixture(scope="module", params=FAULTS)
def ran(request: pytest.FixtureRequest, redis: str, tmp_path_factory) -> Ran:
    """Run the job once for each fault."""
    return Ran(FAULTS[request.param], redis, tmp_path_factory.mktemp("tables"))


def test_nothing_is_acknowledged_before_it_is_durable(ran: Ran) -> None:
    """A message is acknowledged only after its outputs are written, and all are except lost ones.

    After a lost acknowledgement the message is delivered again, to this job or the next.
    """
    assert ran.early == 0
    assert len(ran.waiting) >= len(events()) + 2
    assert ran.lossy or not ran.left
    assert len(ran.left) < len(ran.waiting)


def test_messages_on_their_topic(ran: Ran) -> None:
    """With every fault the topic holds the core's messages, byte for byte, once by id (R31)."""
    wanted = [o for found in by_the_core().values() for o in found if isinstance(o, outputs.Message)]  # fmt: skip
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for message in ran.pulled["message"]:
        bodies[message.attributes["id"]].add(message.data)

    assert all(len(same) == 1 for same in bodies.values())
    assert sorted(bodies) == sorted(message.id for message in wanted)
    found = {from_message(m.data, m.attributes).id: m for m in ran.pulled["message"]}
    for message in wanted:
        assert from_message(found[message.id].data, found[message.id].attributes) == message
        assert found[message.id].ordering_key == message.user
        assert found[message.id].attributes["schema"].startswith("message:")


def test_dead_letters_on_their_topic(ran: Ran) -> None:
    """An unreadable message is a dead letter with a reason and the id of its cause (R7)."""
    letters = {
        letter.cause: letter.reason
        for letter in (from_message(m.data, m.attributes) for m in ran.pulled["dead_letter"])
        if isinstance(letter, outputs.DeadLetter)
    }
    assert letters == {"bad-1": "not_json", "bad-2": "unknown_space"}


def test_flow_states_in_redis(ran: Ran, redis: str) -> None:
    """Redis holds the last flow state that the core decided for each user (L11, R31)."""
    states = open_states(redis)
    for user, found in by_the_core().items():
        last = [o for o in found if isinstance(o, outputs.FlowState)][-1]
        held = states.get_state(SPACE, user)
        assert held is not None
        assert (held.sequence, held.at, list(held.flows)) == (last.sequence, last.at, last.flows)


def test_rows_in_tables(ran: Ran) -> None:
    """The tables hold each row of the core once, even if a record was delivered twice."""
    for kind in ("transition", "communication", "conversion", "message"):
        wanted = [o for f in by_the_core().values() for o in f if o.__struct_config__.tag == kind]
        assert sorted(row["id"] for row in ran.table(kind)) == sorted(o.id for o in wanted)


def test_numbers_of_windows(ran: Ran) -> None:
    """The numbers of minutes, hours and days equal a recount from the rows (R25)."""
    counts: Counts = {}
    for found in by_the_core().values():
        for output in found:
            add(counts, output)
    wanted = [to_row(row) for row in numbers_of(counts)]
    rows = [row for kind in ("step_metric", "flow_metric") for row in ran.table(kind)]

    assert sorted(map(_number, rows)) == sorted(map(_number, wanted))


def _number(row: dict[str, Any]) -> tuple[Any, ...]:
    start = row["start"] if isinstance(row["start"], int) else int(row["start"].timestamp() * 1000)
    names = ("window", "flow", "metric", "reason", "value")
    return (start, row.get("step") or "", *(row[name] for name in names))
