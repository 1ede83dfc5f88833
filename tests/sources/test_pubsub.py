"""The Pub/Sub source on a server with faults: nothing is lost, nothing is acknowledged early."""

from __future__ import annotations

import time
from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.io import unbounded_source
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2

from tests.kit.clock import ManualClock
from tests.kit.pubsub_faults import Faults
from tests.kit.pubsub_server import PubSubServer
from tests.kit.pubsub_servers import SERVERS, World, running
from tests.kit.timeouts import PATIENCE
from transforms.sources.pubsub import beam_source
from transforms.sources.pubsub.beam_source import PubSubSource, read_pubsub
from transforms.sources.pubsub.leases import Settings
from transforms.sources.pubsub.reader import PubSubReader

LEASE = 10_000
NAME = "projects/project/subscriptions/flows"
ALONE = {
    "none": Faults(),
    "duplicate": Faults(duplicate=0.3),
    "reorder": Faults(reorder=20),
    "lose_ack": Faults(lose_ack=0.3),
    "expire_lease": Faults(expire_lease=0.3),
    "nack_ordered": Faults(nack_ordered=0.1),
    "delay": Faults(delay_ms=60_000),
    "unavailable": Faults(unavailable=0.2),
    "lose_answer": Faults(lose_answer=0.2),
}
TOGETHER = Faults(
    duplicate=0.1,
    reorder=20,
    lose_ack=0.1,
    expire_lease=0.1,
    nack_ordered=0.05,
    delay_ms=30_000,
    unavailable=0.1,
    lose_answer=0.1,
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubServer]:
    with PubSubServer(clock=clock) as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.address)
        yield server


@pytest.fixture(params=[False, True], ids=["any order", "ordered"])
def world(server: PubSubServer, request: pytest.FixtureRequest) -> Iterator[World]:
    world = World(ordered=request.param)
    yield world
    world.close()


@pytest.fixture
def plain(server: PubSubServer) -> Iterator[World]:
    world = World()
    yield world
    world.close()


class Job:
    """A consumer with a state: the records of the bundles that were committed."""

    def __init__(self, server: PubSubServer, world: World, clock: ManualClock) -> None:
        self.server, self.world, self.clock = server, world, clock
        self.settings = Settings(subscription=world.subscription)
        self.committed: dict[str, bytes] = {}
        self.published: list[str] = []
        self.copies = 0
        self.mark = None
        self.reader = self._open()

    def _open(self) -> PubSubReader:
        reader = PubSubReader(self.settings, clock=self.clock, resume=self.mark, background=False)
        reader.start()
        return reader

    def crash(self) -> None:
        """Lose the reader and the current bundle; continue from the last committed checkpoint."""
        self.reader._subscriber.close()
        self.reader = self._open()

    def bundle(self, most: int = 25, *, commit: bool = True) -> None:
        """Read up to ``most`` records, commit and finalize; check that no acknowledgement came
        before.
        """
        self.reader.poll()
        read = {}
        while len(read) < most and self.reader.advance():
            record = self.reader.get_current()
            known = self.committed.get(record.message_id) or read.get(record.message_id)
            assert known in {None, record.data}, "a duplicate is the same under the same id"
            read[record.message_id] = record.data
            self.copies += 1
        if not commit:
            return
        mark = self.reader.get_checkpoint_mark()
        before = set(self.committed)
        self.committed |= read
        self.mark = mark
        self.check(before)
        self.reader.finalize(mark)
        self.check(before)

    def check(self, durable) -> None:
        acked = set(self.published) - self.server.unacked(self.world.subscription)
        assert acked <= set(durable), "acknowledged before it was durable"

    def publish(self, count: int) -> None:
        """Publish numbers as the records of seven users."""
        futures = [
            self.world.publisher.publish(self.world.topic, str(number).encode(), f"u{number % 7}")
            for number in range(count)
        ]
        self.published = [future.result() for future in futures]

    def drain(self, crash_every: int = 0) -> None:
        """Read until all is acknowledged; every so many bundles the reader crashes in one."""
        for round_ in range(400):
            if not self.server.unacked(self.world.subscription):
                return
            crashing = crash_every > 0 and round_ % crash_every == crash_every - 1
            self.bundle(commit=not crashing)
            if crashing:
                self.crash()
            self.reader.extend()
            self.clock.advance(LEASE)
        left = len(self.server.unacked(self.world.subscription))
        raise AssertionError(f"{left} messages are still not acknowledged")


@pytest.mark.parametrize("name", [*ALONE, "together"])
def test_nothing_is_lost_or_acknowledged_early(server, world, clock, name):
    """With each fault and all of them everything arrives, and is acknowledged only when durable."""
    job = Job(server, world, clock)
    job.publish(150)
    server.faults = TOGETHER if name == "together" else ALONE[name]
    job.drain()
    assert set(job.committed) == set(job.published)
    if name in {"duplicate", "expire_lease", "lose_ack", "together"}:
        assert job.copies > 150
    if name in {"none", "reorder"}:
        assert job.copies == 150
    job.reader.close()


@pytest.mark.parametrize("faults", [Faults(), TOGETHER], ids=["none", "together"])
def test_a_crash_loses_nothing(server, plain, clock, faults):
    """After a reader that crashes repeatedly in a bundle, the next one gets everything."""
    job = Job(server, plain, clock)
    job.publish(150)
    server.faults = faults
    job.drain(crash_every=3)
    assert set(job.committed) == set(job.published)
    job.reader.close()


def test_records_of_a_user_arrive_in_order(server, clock):
    """On an ordered subscription the first copies of a key's records are in order."""
    world = World(ordered=True)
    job = Job(server, world, clock)
    job.publish(140)
    server.faults = Faults(nack_ordered=0.1, lose_ack=0.1, expire_lease=0.1, duplicate=0.1)
    job.drain()
    for user in range(7):
        mine = [int(data) for data in job.committed.values() if int(data) % 7 == user]
        assert mine == sorted(mine)
    job.reader.close()
    world.close()


@pytest.mark.parametrize("name", SERVERS)
def test_background_threads_drain_a_subscription(name, monkeypatch):
    """With its own threads a reader gets all messages of a subscription and keeps none."""
    with running(name) as address:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
        world = World()
        published = world.publish(*map(str, range(1500)), kind="track")
        reader = PubSubReader(Settings(subscription=world.subscription, ahead=400))
        seen, more = {}, reader.start()
        while len(seen) < len(published):
            assert more or reader.advance(10_000)
            record = reader.get_current()
            seen[record.message_id] = record.attributes
            if len(seen) % 200 == 0:
                reader.finalize(reader.get_checkpoint_mark())
            more = reader.advance()
        assert seen == {message_id: {"kind": "track"} for message_id in published}
        acked = [reader.finalize(reader.get_checkpoint_mark()) for _ in range(3)]
        assert list(map(len, acked)) == [200, 100, 0]
        reader.close()
        assert world.pull() == []
        world.close()


def test_fetched_messages_are_returned_at_once(server, plain, clock):
    """A reader that is closed returns fetched messages to the next one, before their lease ends."""
    plain.publish(*map(str, range(10)))
    reader = PubSubReader(Settings(subscription=plain.subscription), clock=clock, background=False)
    reader.start()
    reader.poll()
    assert reader.advance()
    reader.close()
    assert len(plain.pull()) == 9


def test_an_idle_reader_returns_its_messages(server, plain, clock):
    """Messages fetched after the last bundle are returned once it is clear that none follows."""
    plain.publish(*map(str, range(10)))
    settings = Settings(subscription=plain.subscription, rest_ms=5_000)
    reader = PubSubReader(settings, clock=clock, background=False)
    reader.start()
    reader.poll()
    assert reader.advance()
    reader.get_checkpoint_mark()
    clock.advance(4_999)
    assert not reader.rest()
    assert plain.pull() == []
    clock.advance(1)
    assert reader.rest()
    assert len(plain.pull()) == 9
    assert not reader.advance()
    reader.close()


def test_another_thread_resumes_the_same_reader(server, plain):
    """A checkpoint resumed in the same process finds its reader once, unless that has moved on."""
    plain.publish(*map(str, range(3)))
    source = PubSubSource(Settings(subscription=plain.subscription))
    first = source.create_reader(None, None)
    assert first.start() or first.reader.advance(10_000)
    mark = first.get_checkpoint_mark()
    second = source.create_reader(None, mark)
    assert second.reader is first.reader
    first.close()
    assert second.advance(), "the one that was followed up closed nothing"
    third = source.create_reader(None, mark)
    assert third.reader is not second.reader
    for reader in (second, third):
        reader.close()


def test_leases_are_extended_in_the_background(server, plain, clock):
    """A record in hand is not delivered again, however long its bundle takes."""
    plain.publish("one")
    settings = Settings(subscription=plain.subscription, ack_seconds=1)
    reader = PubSubReader(settings, clock=clock)
    assert reader.start() or reader.advance(10_000)
    for extensions in range(1, 4):
        until = time.monotonic() + PATIENCE
        while server.calls("ModifyAckDeadline") < extensions:
            assert time.monotonic() < until
            time.sleep(0.01)
        clock.advance(900)
        assert plain.pull() == []
    reader.close()


def test_the_watermark_follows_an_idle_topic_of_a_real_server(server, plain, clock):
    """Publish times hold the watermark until acknowledged; then empty answers advance it."""
    settings = Settings(subscription=plain.subscription, slack_ms=1_000, idle_ms=5_000)
    reader = PubSubReader(settings, clock=clock, background=False)
    published = clock()
    plain.publish("one")
    reader.start()
    reader.poll()
    assert reader.advance()
    clock.advance(8_000)
    assert reader.get_watermark() == published - 1_000
    for _ in range(2):
        reader.finalize(reader.get_checkpoint_mark())
    reader.poll()
    server.faults = Faults(unavailable=1.0)
    clock.advance(5_000)
    assert not reader.poll()
    assert reader.get_watermark() == published - 1_000
    server.faults = Faults()
    reader.poll()
    clock.advance(5_000)
    reader.poll()
    assert reader.get_watermark() == clock() - 1_000
    reader.close()


def test_beam_s_bundles_resume_the_reader_and_finalize_late(server, plain, monkeypatch):
    """Driven as by Beam: no record twice, checkpoints survive their coder, late acknowledgements."""
    monkeypatch.setattr(beam_source, "WAIT_MS", 2_000)  # the first pull has a channel to connect
    published = plain.publish(*map(str, range(10)))
    source = PubSubSource(Settings(subscription=plain.subscription, readers=3))
    (share, *_), cache = source.split(20), unbounded_source._ReaderCache()
    assert len(source.split(20)) == 3
    assert share.split(20) == [share]
    coder = unbounded_source._UnboundedSourceRestrictionCoder()
    restriction, seen, unacked = unbounded_source._UnboundedSourceRestriction(share), [], []
    for _ in range(4):
        tracker = unbounded_source._PROVIDER.create_tracker(coder.decode(coder.encode(restriction)))
        tracker._reader_cache = cache
        for _ in range(3):
            holder = [None]
            assert tracker.try_claim(holder)
            if holder[0] is not unbounded_source._NO_DATA:
                data, attributes, ms, message_id = holder[0][0]
                assert (attributes, holder[0][1].micros) == ({}, ms * 1000)
                seen.append((data, message_id))
        primary, restriction = tracker.try_split(0)
        primary.finalization_checkpoint_mark.finalize_checkpoint()
        unacked.append(len(server.unacked(plain.subscription)))
    assert sorted(seen) == sorted((str(n).encode(), each) for n, each in enumerate(published))
    assert unacked == [10, 7, 4, 1]
    cache.close_all()


@pytest.mark.parametrize(
    ("runner", "native"),
    [("DataflowRunner", True), ("PrismRunner", False), ("PortableRunner", False)],
)
def test_dataflow_uses_its_own_source(runner, native):
    """On Dataflow the graph has its own Pub/Sub read; elsewhere ours.

    It has no id label: that would drop the same id of another space, and what is published again.
    """
    settings = Settings(subscription=NAME, timestamp_attribute="received_at")
    pipeline = beam.Pipeline(runner="BundleBasedDirectRunner")
    pipeline | "Read" >> read_pubsub(settings, PipelineOptions(["--runner", runner]))
    graph = pipeline.to_runner_api()
    reads = [
        each.spec
        for each in graph.components.transforms.values()
        if each.spec.urn == "beam:transform:pubsub_read:v1"
    ]
    assert len(reads) == native
    payloads = [beam_runner_api_pb2.PubSubReadPayload.FromString(read.payload) for read in reads]
    assert all(read.timestamp_attribute == "received_at" for read in payloads)
    assert all(not read.id_attribute and read.with_attributes for read in payloads)
