"""The messages that a Pub/Sub reader has leased and not yet acknowledged. Time is an argument.

Acknowledgement waits one round, because a runner may finalize a bundle before the checkpoint with
its state is complete. The watermark is the oldest leased receipt minus the slack.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush

import msgspec

EARLIEST = 0


class Settings(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How a subscription is read."""

    subscription: str
    timestamp_attribute: str | None = None
    """The attribute with the receipt (ms or ISO 8601); without it the publish time counts."""
    slack_ms: int = 10_000
    """How many ms an older record may arrive after a newer one."""
    idle_ms: int = 10_000
    """How many ms the topic must be empty before the watermark advances without data."""
    window: int = 100_000
    """The maximum number of leased records."""
    ahead: int = 5_000
    """The maximum number of leased records that are not yet emitted."""
    ahead_bytes: int = 64_000_000
    """With more bytes of records that are not yet emitted, no others are fetched."""
    ack_seconds: int = 60
    """The duration of an extended lease."""
    longest_ms: int = 10 * 60_000
    """After this time a lease that was not finalized is dropped, and the broker redelivers."""
    rest_ms: int = 5_000
    """After this time without a next bundle a reader stops fetching and returns its messages."""
    readers: int = 1
    """The number of readers of the subscription."""


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message as delivered; ``timestamp`` (its receipt) and ``published`` are ms."""

    ack_id: str
    data: bytes
    attributes: dict[str, str]
    published: int
    message_id: str
    timestamp: int


class Mark(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A checkpoint of one bundle: the reader, its number of rounds, and the ack ids emitted."""

    reader: str
    rounds: int
    ack_ids: tuple[str, ...]


class Held(msgspec.Struct, gc=False):
    """A lease: the message's receipt, when the lease began, and when to extend it."""

    timestamp: int
    since: int
    due: int


class LeaseBook:
    """The leases of one reader. Not thread-safe: the reader holds a lock around it."""

    def __init__(self, settings: Settings, reader: str) -> None:
        self._settings = settings
        self._reader = reader
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._emitted: list[str] = []
        self._held: dict[str, Held] = {}
        self._oldest: list[tuple[int, str]] = []
        self._finalized: dict[str, int] = {}
        self._rounds = 0
        self._quiet: tuple[int, int] | None = None
        self._watermark = EARLIEST

    @property
    def room(self) -> int:
        """Return how many more records may be fetched."""
        if self._bytes >= self._settings.ahead_bytes:
            return 0
        free = self._settings.window - len(self._held)
        return min(free, self._settings.ahead - len(self._waiting))

    @property
    def waiting(self) -> int:
        """Return how many records are fetched and not yet emitted."""
        return len(self._waiting)

    def receive(self, deliveries: Iterable[Delivery], now: int) -> None:
        """Add the messages of a pull made at ``now``; an empty pull counts towards idleness."""
        came = False
        for delivery in deliveries:
            came = True
            self._waiting.append(delivery)
            self._bytes += len(delivery.data)
            self._held[delivery.ack_id] = Held(delivery.timestamp, now, now)
            heappush(self._oldest, (delivery.timestamp, delivery.ack_id))
        since = min(self._quiet[0], now) if self._quiet else now
        self._quiet = None if came else (since, now)

    def forget_idle(self) -> None:
        """Restart the idle period: the broker did not answer."""
        self._quiet = None

    def next(self) -> Delivery | None:
        """Emit the next record."""
        while self._waiting:
            delivery = self._waiting.popleft()
            self._bytes -= len(delivery.data)
            if delivery.ack_id in self._held:
                self._emitted.append(delivery.ack_id)
                return delivery
        return None

    def cut(self) -> Mark:
        """Close a bundle; the mark covers what was emitted since the last one."""
        mark = Mark(self._reader, self._rounds, tuple(self._emitted))
        self._emitted = []
        return mark

    def finalize(self, mark: Mark) -> tuple[str, ...]:
        """Record a bundle as finalized, and return the ids to acknowledge now.

        These are the ids finalized before this bundle was cut. Bundles that a runner finalizes
        together were all cut before the first of them was finalized, so none of them
        acknowledges another.
        """
        ready = tuple(ack_id for ack_id, rounds in self._finalized.items() if rounds <= mark.rounds)
        self._finalize(mark.ack_ids)
        return ready if mark.reader == self._reader else ()

    def adopt(self, mark: Mark) -> None:
        """Resume from another reader's mark: the restored state contains what it covers."""
        self._finalize(mark.ack_ids)

    def _finalize(self, ack_ids: Iterable[str]) -> None:
        self._rounds += 1
        for ack_id in ack_ids:
            self._finalized.setdefault(ack_id, self._rounds)

    def acknowledged(self, ack_ids: Iterable[str]) -> None:
        """Drop the leases of acknowledged ids."""
        for ack_id in ack_ids:
            self._finalized.pop(ack_id, None)
            self._held.pop(ack_id, None)

    def leave(self, ack_ids: Iterable[str]) -> None:
        """Drop the leases of emitted records: no mark covers them, and nothing acknowledges them."""
        left = frozenset(ack_ids)
        self._emitted = [ack_id for ack_id in self._emitted if ack_id not in left]
        self.acknowledged(left)

    def leases(self, now: int) -> tuple[str, ...]:
        """Return the leases to extend, and drop those that are too old.

        A new lease is due at once: its first duration is the subscription's, which may be short.
        """
        limit = now - self._settings.longest_ms
        self.acknowledged([ack_id for ack_id, held in self._held.items() if held.since <= limit])
        due = [ack_id for ack_id, held in self._held.items() if held.due <= now]
        return (*due, *(ack_id for ack_id in self._finalized if ack_id not in self._held))

    def extended(self, ack_ids: Iterable[str], now: int) -> None:
        """Schedule the next extension of leases after a third of their duration."""
        for ack_id in ack_ids:
            if ack_id in self._held:
                self._held[ack_id].due = now + self._settings.ack_seconds * 1000 // 3

    def give_back(self) -> tuple[str, ...]:
        """Drop the leases of records that were fetched and never emitted; return their ids."""
        unused = tuple(delivery.ack_id for delivery in self._waiting)
        self._waiting.clear()
        self._bytes = 0
        self.acknowledged(unused)
        return unused

    def watermark(self, now: int) -> int:
        """Return the instant before which no receipt is expected; it never goes back.

        With leased records it is the oldest receipt (at most ``now``) minus the slack. Without any
        it stays until pulls were empty for ``idle_ms``, then it follows the last empty pull.
        A broker that does not answer does not move it.
        """
        while self._oldest and self._oldest[0][1] not in self._held:
            heappop(self._oldest)
        reached = self._watermark
        if self._oldest:
            reached = min(self._oldest[0][0], now)
        elif self._quiet and self._quiet[1] - self._quiet[0] >= self._settings.idle_ms:
            reached = min(self._quiet[1], now)
        self._watermark = max(self._watermark, reached - self._settings.slack_ms)
        return self._watermark
