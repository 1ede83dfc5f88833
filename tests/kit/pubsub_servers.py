"""The Pub/Sub servers that tests can use: the kit's own, and Google's emulator if available.

``TOWPATH_PUBSUB_EMULATOR_JAR`` names the emulator's jar; it needs Java.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.cloud import pubsub_v1

from tests.kit.pubsub_server import PubSubServer
from tests.kit.timeouts import PATIENCE
from towpath.flink.local_cluster import free_port

JAR = "TOWPATH_PUBSUB_EMULATOR_JAR"
SERVERS = ("kit", "emulator") if os.environ.get(JAR) else ("kit",)


@contextmanager
def running(server: str) -> Iterator[str]:
    """Run a server of ``SERVERS`` and yield its address."""
    if server == "kit":
        with PubSubServer() as kit:
            yield kit.address
    else:
        with _emulator(Path(os.environ[JAR])) as address:
            yield address


@contextmanager
def ordered_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Run the kit's server, and yield an ordered topic and subscription on it."""
    with running("kit") as address:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
        world = World(ordered=True)
        yield world
        world.close()


@contextmanager
def _emulator(jar: Path) -> Iterator[str]:
    port = free_port()
    command = ["java", "-jar", str(jar), "--host=127.0.0.1", f"--port={port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_port(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _await_port(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


class World:
    """A topic and a subscription of their own, and the real clients on them."""

    def __init__(self, *, ordered: bool = False, filter: str = "") -> None:  # noqa: A002
        options = pubsub_v1.types.PublisherOptions(enable_message_ordering=True)
        self.publisher = pubsub_v1.PublisherClient(publisher_options=options)
        self.subscriber = pubsub_v1.SubscriberClient()
        self.project = f"projects/p{uuid.uuid4().hex[:12]}"
        self.topic = f"{self.project}/topics/events"
        self.publisher.create_topic(name=self.topic)
        self.subscription = self.subscribe("flows", ordered=ordered, filter=filter)

    def subscribe(self, name: str, *, ordered: bool = False, filter: str = "") -> str:  # noqa: A002
        """Create one more subscription of the topic."""
        path = f"{self.project}/subscriptions/{name}"
        self.subscriber.create_subscription(
            request={
                "name": path,
                "topic": self.topic,
                "ack_deadline_seconds": 10,
                "enable_message_ordering": ordered,
                "filter": filter,
            }
        )
        return path

    def publish(self, *texts: str, key: str = "", **attributes: str) -> list[str]:
        """Publish texts, and return their message ids."""
        futures = [
            self.publisher.publish(self.topic, text.encode(), key, **attributes) for text in texts
        ]
        return [future.result(PATIENCE) for future in futures]

    def pull(
        self, most: int = 1000, subscription: str = ""
    ) -> list[pubsub_v1.types.ReceivedMessage]:
        """Fetch the messages that are available at once."""
        # By the transport, since the client warns about what an emulator needs.
        request = pubsub_v1.types.PullRequest(
            subscription=subscription or self.subscription,
            max_messages=most,
            return_immediately=True,
        )
        return list(self.subscriber.transport.pull(request, timeout=PATIENCE).received_messages)

    def pull_all(self, count: int) -> list[pubsub_v1.types.ReceivedMessage]:
        """Fetch until ``count`` messages have arrived."""
        until, got = time.monotonic() + PATIENCE, []
        while len(got) < count:
            assert time.monotonic() < until, f"only {len(got)} of {count} messages came"
            got += self.pull(count - len(got))
        return got

    def acknowledge(self, *received: pubsub_v1.types.ReceivedMessage) -> None:
        """Acknowledge messages."""
        self.subscriber.acknowledge(
            subscription=self.subscription, ack_ids=[each.ack_id for each in received]
        )

    def modify(self, seconds: int, *received: pubsub_v1.types.ReceivedMessage) -> None:
        """Extend leases; 0 seconds returns messages."""
        self.subscriber.modify_ack_deadline(
            subscription=self.subscription,
            ack_ids=[each.ack_id for each in received],
            ack_deadline_seconds=seconds,
        )

    def close(self) -> None:
        """Close both clients."""
        self.publisher.stop()
        self.publisher.transport.close()
        self.subscriber.close()


def texts(received: list[pubsub_v1.types.ReceivedMessage]) -> list[str]:
    """Return the data of messages, in order."""
    return [each.message.data.decode() for each in received]
