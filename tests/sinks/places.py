"""Targets for sinks, and what a reader of each sees: real servers, real folders."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
import redis
from google.cloud import pubsub_v1

from tests.kit.pubsub_servers import World, running
from tests.kit.redis_server import RedisServer
from transforms.flows.protocol.outputs import AnyOutput, FlowState, ProfileUpdate
from transforms.sinks import files, parquet
from transforms.sinks.folders import Format, folder_of
from transforms.sinks.part_files import listed
from transforms.sinks.redis import open_states
from transforms.wire.messages import from_message
from transforms.wire.rows import from_row

MINUTE = 60_000
Seen = dict[tuple[str, str], AnyOutput]
"""What a reader sees, by space and id."""


class Place(Protocol):
    """A target that is empty at first."""

    address: str

    def output(self, number: int, user: str) -> AnyOutput:
        """Return an output of a kind that the sink accepts; those of a user have rising numbers."""

    def expected(self, outputs: Iterable[tuple[str, AnyOutput]]) -> Seen:
        """Return what a reader should see after outputs, in any order."""

    def seen(self) -> Seen:
        """Read everything."""

    def raw(self) -> Any:
        """Read everything without decoding: equal if readers see no difference."""


class _All:
    """A target that keeps every output."""

    def output(self, number: int, user: str) -> AnyOutput:
        said = {"z": number, "a": {"b": None}}
        return ProfileUpdate(
            id=f"p{number}", user=user, at=number * 7 * MINUTE, set=said, tag=("x",)
        )

    def expected(self, outputs: Iterable[tuple[str, AnyOutput]]) -> Seen:
        return {(space, output.id): output for space, output in outputs}


class Tables(_All):
    """A folder with tables."""

    def __init__(self, name: str, form: Format, folder: Path) -> None:
        self.address = f"{name}:{folder}"
        self._format, self._folder = form, folder

    def _listed(self) -> Iterator[tuple[str, str, Path]]:
        for manifest in sorted(self._folder.glob("*/*/_manifest.json")):
            table = manifest.parent
            for path in listed(table.name, table.parent):
                yield table.parent.name, table.name, path

    def seen(self) -> Seen:
        rows = [
            (space, from_row(kind, row))
            for space, kind, path in self._listed()
            for row in self._format.read(path)
        ]
        found = {(space, row.id): row for space, row in rows}
        assert len(found) == len(rows), "a row is doubled"
        assert all(folder_of(self._folder, space).name == space for space, _ in found)
        return found

    def raw(self) -> Any:
        manifests = sorted(self._folder.glob("*/*/_manifest.json"))
        paths = [*manifests, *(path for _, _, path in self._listed())]
        return {str(path.relative_to(self._folder)): path.read_bytes() for path in paths}


class Topic(_All):
    """A topic of the kit's server; its reader recognizes duplicates by id."""

    def __init__(self) -> None:
        self._world = World(ordered=True)
        prefix = f"t{uuid.uuid4().hex[:6]}-"
        topic = f"{self._world.project}/topics/{prefix}profile_update"
        self._subscription = f"{self._world.project}/subscriptions/read"
        self._world.publisher.create_topic(name=topic)
        self._world.subscriber.create_subscription(name=self._subscription, topic=topic)
        self.address = f"pubsub:{self._world.project}/topics/{prefix}"
        self._got: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = {}

    def _pull(self) -> None:
        while received := self._world.pull(subscription=self._subscription):
            for each in received:
                attributes = dict(each.message.attributes)
                key = attributes["space"], attributes["id"]
                body = (each.message.data, attributes)
                assert self._got.setdefault(key, body) == body, "an id has two contents"
            self._world.subscriber.acknowledge(
                request=pubsub_v1.types.AcknowledgeRequest(
                    subscription=self._subscription, ack_ids=[each.ack_id for each in received]
                )
            )

    def seen(self) -> Seen:
        self._pull()
        return {key: from_message(*body) for key, body in self._got.items()}

    def raw(self) -> Any:
        self._pull()
        return dict(self._got)

    def close(self) -> None:
        self._world.close()


class Hashes:
    """A server that keeps the newest state of each user."""

    def __init__(self, url: str) -> None:
        self.address = url
        self._client = redis.Redis.from_url(url)
        self._client.flushall()

    def output(self, number: int, user: str) -> AnyOutput:
        flows = [{"flow": "welcome", "since": number}]
        return FlowState(
            id=f"s{number}", user=user, at=number, sequence=number, flows=flows, promotions={}
        )

    def expected(self, outputs: Iterable[tuple[str, AnyOutput]]) -> Seen:
        newest: dict[tuple[str, str], FlowState] = {}
        for space, output in sorted(outputs, key=lambda pair: pair[1].sequence):
            newest[space, output.user] = output
        return {(space, state.id): state for (space, _), state in newest.items()}

    def seen(self) -> Seen:
        found: Seen = {}
        reader = open_states(self.address)
        for key in self._client.keys("towpath:*:state:*"):
            _, space, _, user = key.decode().split(":")
            held = reader.get_state(space, user)
            ident = self._client.hget(key, "id").decode()
            found[space, ident] = FlowState(
                id=ident, user=user, at=held.at, sequence=held.sequence,
                flows=list(held.flows), promotions=held.promotions,
            )  # fmt: skip
        reader.close()
        return found

    def raw(self) -> Any:
        return {key: self._client.hgetall(key) for key in self._client.scan_iter()}

    def close(self) -> None:
        self._client.close()


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Run the servers that sinks need; yield addresses."""
    with (
        RedisServer("valkey") as store,
        running("kit") as broker,
        pytest.MonkeyPatch.context() as m,
    ):
        m.setenv("PUBSUB_EMULATOR_HOST", broker)
        yield {"redis": store.url}


@contextmanager
def place(name: str, folder: Path, addresses: dict[str, str]) -> Iterator[Place]:
    """Create an empty target for the sink of that name."""
    match name:
        case "files":
            yield Tables(name, files, folder)
        case "parquet":
            yield Tables(name, parquet, folder)
        case "pubsub":
            topic = Topic()
            yield topic
            topic.close()
        case "redis":
            hashes = Hashes(addresses["redis"])
            yield hashes
            hashes.close()
        case _:
            raise KeyError(f"say here where {name} writes to")
