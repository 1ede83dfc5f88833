"""Where the controller publishes signals: a topic that the job reads, or a file of JSON lines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from transforms.flows.protocol.signals import Command
from transforms.wire.extras import needs
from transforms.wire.messages import to_envelope

TOPIC = "projects/"


class Unpublished(Exception):
    """Signals could not be published; some may have been, so all are published again."""


class Signals(Protocol):
    """A place for signals."""

    def publish(self, space: str, signals: Sequence[Command]) -> None:
        """Publish signals, and return once they are durable. Raises Unpublished."""

    def close(self) -> None:
        """Close the connection."""


def signals_to(address: str, timestamp_attribute: str = "") -> Signals:
    """Open ``projects/P/topics/T``, or a file."""
    return (
        SignalTopic(address, timestamp_attribute)
        if address.startswith(TOPIC)
        else SignalFile(address)
    )


class SignalTopic:
    """A topic that the streaming job reads, with a subscription that may bring commands."""

    def __init__(self, topic: str, timestamp_attribute: str = "") -> None:
        with needs("pubsub"):
            from transforms.sinks.pubsub import Publisher

        self._topic = topic
        self._stamped = timestamp_attribute
        self._publisher = Publisher()
        self._publisher.setup()

    def publish(self, space: str, signals: Sequence[Command]) -> None:
        from transforms.sinks.outgoing import Outgoing
        from transforms.sinks.pubsub import NotPublished

        for signal in signals:
            outgoing = Outgoing(
                topic=self._topic,
                id=signal.id,
                space=space,
                kind="event",
                schema="event",
                encoding="json",
                flow=signal.flow or "",
                user=signal.user,
                data=to_envelope(signal),
                stamped=self._stamped,
            )
            self._publisher.add(outgoing)
        try:
            self._publisher.flush()
        except NotPublished as error:
            raise Unpublished(f"{self._topic}: {error}") from None

    def close(self) -> None:
        self._publisher.teardown()


class SignalFile:
    """A file to which signals are appended, one JSON record a line."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def publish(self, space: str, signals: Sequence[Command]) -> None:
        try:
            with self._path.open("ab") as file:
                file.write(b"".join(to_envelope(signal) + b"\n" for signal in signals))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unpublished(f"{self._path}: {(error.strerror or str(error)).lower()}") from None

    def close(self) -> None:
        pass
