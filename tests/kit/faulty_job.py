"""Runs records through a Pub/Sub server with faults and the whole job, and collects the results.

The server's clock is later than all records and advances only after a round of reading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import apache_beam as beam
import msgspec
import pytest
import redis
from google.api_core.retry import Retry, if_transient_error
from google.pubsub_v1.services.publisher import PublisherClient

import schemas
from pipelines.stream import build
from pipelines.stream_options import Sinks, topics_of
from tests.kit import bundle_runner, drain_topic, streams
from tests.kit.clock import ManualClock
from tests.kit.pubsub_faults import Faults
from tests.kit.pubsub_server import PubSubServer
from tests.kit.pubsub_servers import World
from tests.kit.random_users import SLACK, Published, UserSet
from tests.kit.timeouts import PATIENCE
from transforms.beam.write_tables import TO_TABLES
from transforms.flows.protocol import outputs
from transforms.hosting.settings import Settings
from transforms.sinks import parquet
from transforms.sinks.folders import folder_of
from transforms.sinks.outgoing import LOOPED
from transforms.sinks.part_files import listed
from transforms.sources.pubsub.beam_source import Received
from transforms.sources.pubsub.leases import Delivery
from transforms.sources.pubsub.leases import Settings as Subscription
from transforms.sources.pubsub.reader import PubSubReader
from transforms.wire.rows import from_row

GRAIN = 4 * 3_600_000
"""The step of the watermark: each advance costs the runner a bundle of every transform."""
NOW = 1_900_000_000_000
"""2030-03-17: later than any ingestion time, or the publish time would replace it."""
BAD = {"bad-1": (b"no JSON", "w2"), "bad-2": (b"{}", "nowhere")}
"""Two records that are invalid, by id: the body and the space."""
LEASE_MS = 10_000
"""How long an unacknowledged message stays leased."""
RETRY = Retry(predicate=if_transient_error, initial=0.01, maximum=0.1, timeout=PATIENCE)
AHEAD = 200
"""The maximum of records per round."""

Body = tuple[bytes, tuple[tuple[str, str], ...], str]
"""A message's data, attributes and ordering key."""


class Results(msgspec.Struct, frozen=True):
    """What readers see of topics (by id), Redis, tables (with the space of a row) and numbers."""

    topics: dict[str, dict[str, set[Body]]]
    states: dict[bytes, dict[bytes, bytes]]
    rows: dict[str, list[tuple[str, bytes]]]
    numbers: dict[str, bytes]


class Rig:
    """Users, a server that they publish to, and the job between the server and its sinks."""

    def __init__(
        self, people: UserSet, server: PubSubServer, clock: ManualClock, store: str, out: Path,
        ordered: bool,
    ) -> None:  # fmt: skip
        self.server, self.clock = server, clock
        self._people, self._ordered, self._store, self._out = people, ordered, store, out
        self._world = World(ordered=ordered)
        self.asked = Subscription(
            subscription=self._world.subscription, timestamp_attribute="receipt", ahead=AHEAD
        )
        # Signals that the job sends to itself go to a topic of their own, to be inspected.
        looped = dict.fromkeys(LOOPED, f"{self._world.project}/topics/looped")
        self._topics = topics_of(self._world.project.rpartition("/")[2]) | looped
        for name in sorted(set(self._topics.values())):
            self._world.publisher.create_topic(name=name)
            path = name.replace("/topics/", "/subscriptions/")
            self._world.subscriber.create_subscription(request={"name": path, "topic": name})

    def publish(self) -> Iterator[None]:
        """Publish all batches, each ordered by ingestion time; each call has one ordering key."""
        client = PublisherClient(transport=self._world.publisher.transport)
        pieces = ([message(record) for record in piece] for piece in self._people.pieces())
        for piece in chain(pieces, [[invalid_message(ident, self._people.end) for ident in BAD]]):
            for key, found in groupby(sorted(piece, key=self._key), key=self._key):
                messages = [{**one, "ordering_key": key} for one in found]
                client.publish(
                    topic=self._world.topic, messages=messages, retry=RETRY, timeout=PATIENCE
                )
            yield

    def _key(self, one: dict[str, Any]) -> str:
        return str(one["ordering_key"]) if self._ordered else ""

    def consume(self, round_ms: int = drain_topic.ROUND_MS) -> drain_topic.Consumed:
        """Publish and read until everything is acknowledged."""
        return drain_topic.consume(self.server, self.clock, self.asked, self.publish(), round_ms)

    def read(self) -> list[Delivery]:
        """Publish and read everything, and acknowledge nothing."""
        reader = PubSubReader(self.asked, clock=self.clock, background=False)
        found: list[Delivery] = []
        for _ in self.publish():
            reader.poll()
            while reader.advance():
                found.append(reader.get_current())
        return found

    def run(self, deliveries: Sequence[Delivery], end: int) -> None:
        """Run the job over deliveries until its watermark reaches an instant."""
        bundle_runner.quicken()
        sinks = Sinks(
            topics=self._topics, redis=self._store, tables=str(self._out), file_wait=None,
            pace=None, stable=True,
        )  # fmt: skip
        steps = drain_topic.script(deliveries, SLACK, end, GRAIN)
        with beam.Pipeline(bundle_runner.NAME, options=streams.options()) as pipeline:
            typed = beam.Map(streams.same).with_output_types(Received)
            messages = pipeline | "Script" >> streams.stream_of(steps) | "Typed" >> typed
            settings = Settings(until=end, clock=streams.At())
            build(messages, self._people.logs, sinks, settings=settings, sources=[streams.TRUSTED])

    def left(self) -> Results:
        """Read all results, without faults and after all delays."""
        self.clock.advance(self.server.faults.delay_ms)
        self.server.faults = Faults()
        with redis.Redis.from_url(self._store) as client:
            states = {key: client.hgetall(key) for key in client.scan_iter()}
        return Results(dict(self._pulled()), states, dict(self._rows()), dict(self._numbers()))

    def _pulled(self) -> Iterator[tuple[str, dict[str, set[Body]]]]:
        for topic in sorted(set(self._topics.values())):
            path = topic.replace("/topics/", "/subscriptions/")
            bodies: dict[str, set[Body]] = defaultdict(set)
            while some := self._world.pull(1000, path):
                for m in (each.message for each in some):
                    attributes = tuple(sorted(m.attributes.items()))
                    bodies[m.attributes["id"]].add((m.data, attributes, m.ordering_key))
                ids = [each.ack_id for each in some]
                self._world.subscriber.acknowledge(subscription=path, ack_ids=ids)
            yield topic.rpartition("/")[2], dict(bodies)

    def _files(self, kinds: Iterable[str]) -> Iterator[tuple[str, str, Path]]:
        for kind in kinds:
            for space in sorted(self._people.logs.spaces | {"default"}):
                for path in listed(kind, folder_of(self._out, space)):
                    yield kind, space, path

    def _rows(self) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
        for kind, files in groupby(self._files(TO_TABLES), key=lambda found: found[0]):
            yield (
                kind,
                sorted(
                    (space, outputs.encode(from_row(kind, row)))
                    for _, space, path in files
                    for row in parquet.read(path)
                ),
            )

    def _numbers(self) -> Iterator[tuple[str, bytes]]:
        for _, _, path in self._files(schemas.METRICS):
            yield str(path.relative_to(self._out)), path.read_bytes()

    def close(self) -> None:
        """Close the clients."""
        self._world.close()


def name_of(record: Published) -> str:
    """Return a permanent name of a record among those of all users."""
    return f"{record.key[1]}-{record.signal.id}"


def message(record: Published) -> dict[str, Any]:
    """Return the message of a record, with the ingestion time that a gateway writes."""
    space, user = record.key
    attributes = {"id": name_of(record), "space": space, "receipt": str(record.receipt)}
    return {"data": record.data, "attributes": attributes, "ordering_key": user}


def invalid_message(ident: str, receipt: int) -> dict[str, Any]:
    """Return a message that is not a valid record."""
    data, space = BAD[ident]
    attributes = {"id": ident, "space": space, "receipt": str(receipt)}
    return {"data": data, "attributes": attributes, "ordering_key": ident}


@contextmanager
def start_rig(
    people: UserSet, faults: Faults, store: str, out: Path, *, ordered: bool = True
) -> Iterator[Rig]:
    """Start a server and switch its faults on."""
    clock = ManualClock(NOW)
    with PubSubServer(clock=clock) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUBSUB_EMULATOR_HOST", server.address)
        made = Rig(people, server, clock, store, out, ordered)
        server.faults = faults
        yield made
        made.close()
