"""The Pub/Sub calls of a reader; ``PUBSUB_EMULATOR_HOST`` selects another server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from google.api_core.exceptions import DeadlineExceeded, GoogleAPICallError, NotFound, RetryError
from google.api_core.grpc_helpers import wrap_errors
from google.api_core.retry import Retry, if_transient_error
from google.cloud import pubsub_v1
from google.pubsub_v1 import types

from transforms.sources.pubsub.leases import Delivery
from transforms.wire.decode import EARLIEST_NUMBER
from transforms.wire.values import to_ms

AT_ONCE = 1000
WAIT_SECONDS = 2.0
PROBE_SECONDS = 10.0
CALL_SECONDS = 15.0
RETRY = Retry(
    predicate=if_transient_error, initial=0.05, multiplier=2.0, maximum=2.0, timeout=CALL_SECONDS
)


class Unanswered(Exception):
    """A call failed, permanently or after all retries; the text is the broker's."""


class Subscriber:
    """A subscription, as one reader uses it."""

    def __init__(self, subscription: str, timestamp_attribute: str | None) -> None:
        self._subscription = subscription
        self._timestamp_attribute = timestamp_attribute
        self._client = pubsub_v1.SubscriberClient()
        self._pull = wrap_errors(self._client.transport.pull)

    def pull(self, limit: int, *, wait: bool = True) -> list[Delivery]:
        """Fetch up to ``limit`` messages; an empty list means that the broker has none.

        If a waiting pull times out, a second one that returns at once follows: it tells an idle
        topic from a dead connection.
        """
        limit = min(limit, AT_ONCE)
        try:
            if wait:
                with suppress(DeadlineExceeded):
                    return self._ask(limit, at_once=False, seconds=WAIT_SECONDS)
            return self._ask(limit, at_once=True, seconds=PROBE_SECONDS)
        except (GoogleAPICallError, ValueError) as error:  # the latter from a closed channel
            raise Unanswered(str(error)) from error

    def _ask(self, limit: int, *, at_once: bool, seconds: float) -> list[Delivery]:
        asked = types.PullRequest(
            subscription=self._subscription, max_messages=limit, return_immediately=at_once
        )
        # The client's own method logs a warning about ``return_immediately``.
        answer = types.PullResponse.pb(self._pull(asked, timeout=seconds))
        return [delivery(each, self._timestamp_attribute) for each in answer.received_messages]

    def acknowledge(self, ack_ids: Sequence[str]) -> None:
        """Acknowledge at most ``AT_ONCE`` ids."""
        self._call(
            self._client.acknowledge,
            types.AcknowledgeRequest(subscription=self._subscription, ack_ids=ack_ids),
        )

    def extend(self, ack_ids: Sequence[str], seconds: int) -> None:
        """Extend at most ``AT_ONCE`` leases; 0 seconds returns the messages to the broker."""
        asked = types.ModifyAckDeadlineRequest(
            subscription=self._subscription, ack_ids=ack_ids, ack_deadline_seconds=seconds
        )
        self._call(self._client.modify_ack_deadline, asked)

    def ack_deadline(self) -> int | None:
        """Return how many seconds a new lease of the subscription lasts; None if that cannot be read.

        Raises LookupError if there is no such subscription.
        """
        try:
            found = self._client.get_subscription(
                subscription=self._subscription, retry=RETRY, timeout=CALL_SECONDS
            )
        except NotFound:
            raise LookupError(f"there is no subscription {self._subscription}") from None
        except (GoogleAPICallError, RetryError):
            return None
        return int(found.ack_deadline_seconds)

    def close(self) -> None:
        """Close the connection; calls in progress fail."""
        self._client.transport.close()

    def _call(self, method: Callable[..., None], asked: object) -> None:
        try:
            method(request=asked, retry=RETRY, timeout=CALL_SECONDS)
        except (GoogleAPICallError, RetryError, ValueError) as error:
            raise Unanswered(str(error)) from error


def delivery(received: types.ReceivedMessage, timestamp_attribute: str | None) -> Delivery:
    """Convert a received message."""
    message = received.message
    published = message.publish_time.seconds * 1000 + message.publish_time.nanos // 1_000_000
    attributes = dict(message.attributes)
    timestamp = receipt(attributes.get(timestamp_attribute or ""), published)
    return Delivery(
        received.ack_id, message.data, attributes, published, message.message_id, timestamp
    )


def receipt(text: str | None, published: int) -> int:
    """Parse a receipt (ms or ISO 8601); the publish time if it is missing, invalid or later (R9)."""
    if not text:
        return published
    try:
        read = int(text) if text.isdecimal() else to_ms(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return published
    if read < EARLIEST_NUMBER:  # seconds instead of ms
        return published
    return min(read, published)


def chunks(ack_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split ids into batches that fit one call."""
    for start in range(0, len(ack_ids), AT_ONCE):
        yield ack_ids[start : start + AT_ONCE]
