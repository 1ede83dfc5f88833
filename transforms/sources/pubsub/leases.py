"""What a Pub/Sub reader has in hand: received and not yet acknowledged. Time is an argument.

Acknowledging is late by one round, since a runner may call a bundle final before the checkpoint
that holds its state is complete. The watermark is the oldest time in hand, less the slack.
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
    id_attribute: str = "id"
    """The attribute that names a record for good; a native reader drops duplicates by it."""
    timestamp_attribute: str | None = None
    """Where a gateway wrote the receipt (ms or ISO text); without it, the publish time."""
    slack_ms: int = 10_000
    """How much later than a younger record an older one may still come."""
    idle_ms: int = 10_000
    """For how long the broker must say that there is nothing, before time goes on without data."""
    window: int = 100_000
    """How many records may be in hand, not acknowledged, at once."""
    ahead: int = 5_000
    """How many of them may be fetched and not yet handed on."""
    ack_seconds: int = 60
    """What a lease is extended to."""
    longest_ms: int = 10 * 60_000
    """After this a record that nobody finalized is let go, so that the broker sends it again."""
    rest_ms: int = 5_000
    """After this a reader whose last bundle nobody follows up fetches no more, and gives back."""
    readers: int = 1
    """How many readers share the subscription."""


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message as it was handed out; ``timestamp`` (its receipt) and ``published`` are ms."""

    ack_id: str
    data: bytes
    attributes: dict[str, str]
    published: int
    message_id: str
    timestamp: int


class Mark(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one bundle handed on: by which reader, after how many rounds, under which ack ids."""

    reader: str
    rounds: int
    ack_ids: tuple[str, ...]


class Held(msgspec.Struct, gc=False):
    """A lease in hand: the message's time, since when it is held, and when it is to be extended."""

    timestamp: int
    since: int
    due: int


class LeaseBook:
    """The state of one reader; not safe for threads, the reader holds a lock around it."""

    def __init__(self, settings: Settings, reader: str) -> None:
        self._settings = settings
        self._reader = reader
        self._waiting: deque[Delivery] = deque()
        self._given: list[str] = []
        self._held: dict[str, Held] = {}
        self._oldest: list[tuple[int, str]] = []
        self._aside: dict[str, int] = {}
        self._rounds = 0
        self._quiet: tuple[int, int] | None = None
        self._watermark = EARLIEST

    @property
    def room(self) -> int:
        """How many more records may be fetched."""
        free = self._settings.window - len(self._held)
        return min(free, self._settings.ahead - len(self._waiting))

    @property
    def waiting(self) -> int:
        """How many records are fetched and not handed on."""
        return len(self._waiting)

    def receive(self, deliveries: Iterable[Delivery], now: int) -> None:
        """Take what the broker answered when asked at ``now``; nothing is an answer too."""
        came = False
        for delivery in deliveries:
            came = True
            self._waiting.append(delivery)
            self._held[delivery.ack_id] = Held(delivery.timestamp, now, now)
            heappush(self._oldest, (delivery.timestamp, delivery.ack_id))
        since = min(self._quiet[0], now) if self._quiet else now
        self._quiet = None if came else (since, now)

    def unsure(self) -> None:
        """Forget that the broker had nothing: it failed to answer, or it has something."""
        self._quiet = None

    def next(self) -> Delivery | None:
        """Hand the next record on."""
        while self._waiting:
            delivery = self._waiting.popleft()
            if delivery.ack_id in self._held:
                self._given.append(delivery.ack_id)
                return delivery
        return None

    def cut(self) -> Mark:
        """Close a bundle: a mark over what was handed on since the last one."""
        mark = Mark(self._reader, self._rounds, tuple(self._given))
        self._given = []
        return mark

    def finalize(self, mark: Mark) -> tuple[str, ...]:
        """Put a bundle's ids aside, and name those to be acknowledged now.

        They are those put aside before this bundle was cut. Bundles that a runner finalizes
        together were all cut before the first of them was put aside, so none of them lets
        another go.
        """
        ready = tuple(ack_id for ack_id, put in self._aside.items() if put <= mark.rounds)
        self._put_aside(mark.ack_ids)
        return ready if mark.reader == self._reader else ()

    def adopt(self, mark: Mark) -> None:
        """Go on from another reader's mark: what it covers is in the restored state."""
        self._put_aside(mark.ack_ids)

    def _put_aside(self, ack_ids: Iterable[str]) -> None:
        self._rounds += 1
        for ack_id in ack_ids:
            self._aside.setdefault(ack_id, self._rounds)

    def acknowledged(self, ack_ids: Iterable[str]) -> None:
        """Let go of what the broker was told."""
        for ack_id in ack_ids:
            self._aside.pop(ack_id, None)
            self._held.pop(ack_id, None)

    def leases(self, now: int) -> tuple[str, ...]:
        """Name the leases that are to be extended; those held for too long are given up instead.

        A new one is due at once, since its first lease is the subscription's, not ours.
        """
        limit = now - self._settings.longest_ms
        self.acknowledged([ack_id for ack_id, held in self._held.items() if held.since <= limit])
        due = [ack_id for ack_id, held in self._held.items() if held.due <= now]
        return (*due, *(ack_id for ack_id in self._aside if ack_id not in self._held))

    def extended(self, ack_ids: Iterable[str], now: int) -> None:
        """Let leases be until a third of what they were extended to has passed."""
        for ack_id in ack_ids:
            if ack_id in self._held:
                self._held[ack_id].due = now + self._settings.ack_seconds * 1000 // 3

    def give_back(self) -> tuple[str, ...]:
        """Name what was fetched and never handed on, and let go of it."""
        unused = tuple(delivery.ack_id for delivery in self._waiting)
        self._waiting.clear()
        self.acknowledged(unused)
        return unused

    def watermark(self, now: int) -> int:
        """Say before which instant no receipt is expected any more; it never goes back.

        With records in hand it is the oldest of them, but no later than ``now``, less the slack.
        With none it stays, until the broker has said for ``idle_ms`` that it has none either;
        then it follows the broker's last word. A broker that does not answer moves nothing.
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
