"""Publishes outputs to Pub/Sub topics, in order per user.

A retry publishes the same output again. The broker gives it another message id; consumers recognize
it by the attribute ``id`` (R31).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.api_core.retry import Retry, if_transient_error
from google.cloud import pubsub_v1
from google.pubsub_v1 import types
from google.pubsub_v1.services.publisher import PublisherClient

from schemas.wire import Encoding
from transforms.sinks.checked import Refused, Wrote, fitting
from transforms.sinks.outgoing import LOOPED, Outgoing, attributes, outgoing_of, topics_of
from transforms.wire.rows import Record

MAX_DATA = 9_900_000
"""Pub/Sub's limit for a message's body, in bytes."""

MAX_MESSAGES = 1000
MAX_BYTES = 8_000_000
"""Pub/Sub's limit for a request is 10 MB; attributes, ids and lengths are not counted here."""
CALL_SECONDS = 60.0
# Concurrent requests. With ordering keys there is one request per user, since a request may have
# only one key.
CONCURRENT = 16
RETRY = Retry(
    predicate=if_transient_error, initial=0.05, multiplier=2.0, maximum=5.0, timeout=CALL_SECONDS
)


class NotPublished(Exception):
    """Some outputs are unpublished after all retries; the text has their number and the error."""

    def __init__(self, left: int, why: str) -> None:
        super().__init__(f"{left} outputs are not published: {why}")
        self.left = left


class Publisher:
    """Collects and publishes outputs; with ``ordered`` the user is the ordering key."""

    def __init__(self, *, ordered: bool = True, concurrent: int = CONCURRENT) -> None:
        self._ordered = ordered
        self._concurrent = concurrent
        self._client: PublisherClient | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._lines: dict[tuple[str, str], list[Outgoing]] = {}
        self._count = 0
        self._bytes = 0
        self._retries = 0
        self._retry = RETRY.with_predicate(self._transient)

    def setup(self) -> None:
        """Connect."""
        self._client = pubsub_v1.PublisherClient()
        self._pool = ThreadPoolExecutor(self._concurrent, thread_name_prefix="publish")

    def add(self, output: Outgoing) -> None:
        """Add an output; it is published with the next ``flush`` at the latest."""
        key = output.user if self._ordered else ""
        self._lines.setdefault((output.topic, key), []).append(output)
        self._count += 1
        self._bytes += len(output.data)
        if self._count >= MAX_MESSAGES * self._concurrent or self._bytes >= MAX_BYTES:
            self.flush()

    def flush(self) -> None:
        """Publish all added outputs and wait for the broker; failed ones stay for the next flush.

        Raises ``NotPublished``; then no output of the bundle counts as published.
        """
        if self._pool is None:
            raise RuntimeError("setup comes before flush")
        lines, self._lines = self._lines, {}
        sent: dict[tuple[str, str], Future[str]] = {
            line: self._pool.submit(self._publish, *line, outputs)
            for line, outputs in lines.items()
        }
        errors = [error for future in sent.values() if (error := future.result())]
        self._lines = {line: outputs for line, outputs in lines.items() if outputs}
        self._count = sum(map(len, self._lines.values()))
        self._bytes = sum(len(each.data) for line in self._lines.values() for each in line)
        if errors:
            raise NotPublished(self._count, errors[0])

    def take_retries(self) -> int:
        """Return the number of calls that were repeated since the last time."""
        retries, self._retries = self._retries, 0
        return retries

    def _transient(self, error: Exception) -> bool:
        found = bool(if_transient_error(error))
        self._retries += found
        return found

    def teardown(self) -> None:
        """Disconnect."""
        if self._pool is not None and self._client is not None:
            self._pool.shutdown()
            self._client.transport.close()
            self._pool = self._client = None

    def _publish(self, topic: str, key: str, outputs: list[Outgoing]) -> str:
        """Publish the outputs of one key in order, and remove them; return the error, or nothing."""
        assert self._client is not None
        while outputs:
            batch = outputs[: _fitting(outputs)]
            request = types.PublishRequest.pb(types.PublishRequest(topic=topic))
            for output in batch:
                named = attributes(output)
                if output.stamped:
                    named[output.stamped] = str(time.time_ns() // 1_000_000)
                request.messages.add(data=output.data, attributes=named, ordering_key=key)
            try:
                # The plain call, not the batching one: this class waits and keeps the order.
                PublisherClient.publish(
                    self._client,
                    request=types.PublishRequest.wrap(request),
                    retry=self._retry,
                    timeout=CALL_SECONDS,
                )
            except (GoogleAPICallError, RetryError) as error:
                return str(error)
            del outputs[: len(batch)]
        return ""


class Topics:
    """A sink that publishes each output to the topic of its kind.

    ``timestamp_attribute`` is what readers of the events topic take the receipt from, if not from
    the publish time: what the job sends to itself must have it, too.
    """

    def __init__(
        self,
        topics: Mapping[str, str],
        encoding: Encoding,
        publisher: Publisher,
        timestamp_attribute: str | None = None,
    ) -> None:
        self._topics = topics
        self._encoding = encoding
        self._publisher = publisher
        self._timestamp_attribute = timestamp_attribute or ""

    def write(self, outputs: Iterable[tuple[str, Record]]) -> Wrote:
        """Add outputs, in order; a kind without a topic is rejected."""
        refused, count = Refused(), 0
        for space, output in fitting(outputs, refused):
            found = self._outgoing(space, output)
            if isinstance(found, str):
                refused.add(getattr(output, "id", ""), found)
            else:
                self._publisher.add(found)
                count += 1
        return refused.wrote(count)

    def flush(self) -> None:
        """Publish and wait for the broker; raises ``NotPublished``."""
        self._publisher.flush()

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._publisher.teardown()

    def _outgoing(self, space: str, output: Record) -> Outgoing | str:
        found = outgoing_of(space, output, self._topics, self._encoding, MAX_DATA)
        if isinstance(found, Outgoing) and found.kind in LOOPED and self._timestamp_attribute:
            return msgspec.structs.replace(found, stamped=self._timestamp_attribute)
        return found


def open_sink(place: str, *, encoding: Encoding = "json", ordered: bool = True) -> Topics:
    """Open the topics ``projects/P/topics/PREFIX…``."""
    publisher = Publisher(ordered=ordered)
    publisher.setup()
    return Topics(topics_of(place), encoding, publisher)


def _fitting(outputs: Sequence[Outgoing]) -> int:
    size = 0
    for count, output in enumerate(outputs[:MAX_MESSAGES]):
        size += len(output.data)
        if size > MAX_BYTES and count:
            return count
    return min(len(outputs), MAX_MESSAGES)
