"""One subscription: waiting messages, and leases with their holders and ends. Time is an argument.

Messages with an ordering key go to one consumer at a time, in order. When one of them is
returned (nack, expired lease), the later ones of its key are delivered again, even acknowledged
ones, as Pub/Sub documents.
"""

from __future__ import annotations

from collections import Counter, deque
from heapq import heappop, heappush

import msgspec

from tests.kit.pubsub_faults import Faults, draw, happens


class Message(msgspec.Struct, frozen=True, gc=False):
    """A published message; ``published`` is ms since 1970."""

    message_id: str
    data: bytes
    attributes: dict[str, str]
    ordering_key: str
    published: int


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """One delivery of a message."""

    ack_id: str
    message: Message
    attempt: int


class Entry:
    """A message on its way through one subscription."""

    __slots__ = ("acked", "attempt", "available", "consumer", "message", "place", "token")

    def __init__(self, message: Message, place: int, available: int) -> None:
        self.message = message
        self.place = place
        self.available = available
        self.attempt = 0
        self.token = ""  # the ack id of the current lease; empty if there is none
        self.consumer = ""
        self.acked = False


class Line:
    """The messages of one ordering key: acknowledged before ``head``, delivered before ``next``."""

    __slots__ = ("entries", "head", "leased", "next")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.head = 0
        self.next = 0
        self.leased = 0


class Subscription:
    """The state of one subscription; every method that can depend on time takes ``now`` in ms."""

    def __init__(self, ack_deadline_ms: int, *, ordered: bool) -> None:
        self.faults = Faults()
        self._deadline_ms = ack_deadline_ms
        self._ordered = ordered
        self._count = 0
        self._tokens = 0
        self._later: list[tuple[int, int, Entry]] = []
        self._ready: list[tuple[float, int, Entry]] = []
        self._lines: dict[str, Line] = {}
        self._free: deque[str] = deque()
        self._leases: dict[str, tuple[Entry, int]] = {}
        self._ends: list[tuple[int, str]] = []
        self._held: Counter[str] = Counter()
        self._open: Counter[str] = Counter()

    def add(self, message: Message, now: int) -> None:
        """Add a published message."""
        late = draw(self.faults.seed, "delay", message.message_id) * self.faults.delay_ms
        self._count += 1
        self._open[message.message_id] += 1
        entry = Entry(message, self._count, now + int(late))
        if self._ordered and message.ordering_key:
            self._lines.setdefault(message.ordering_key, Line()).entries.append(entry)
        heappush(self._later, (entry.available, entry.place, entry))

    def pull(self, limit: int, now: int, consumer: str = "") -> list[Delivery]:
        """Deliver up to ``limit`` messages; a ``consumer`` may get more of a key it holds."""
        self._settle(now)
        given: list[Delivery] = []
        while self._ready and len(given) < limit:
            entry = heappop(self._ready)[2]
            if happens(self.faults.duplicate, self.faults.seed, "twin", _try(entry)):
                self._repeat(entry)
            given.append(self._lease(entry, now, consumer))
        for _ in range(len(self._free)):
            if len(given) >= limit:
                break
            key = self._free.popleft()
            given.extend(self._from_line(key, limit - len(given), now, consumer))
        return given

    def acknowledge(self, ack_ids: list[str], now: int) -> None:
        """Remove the messages of these leases; unknown and expired ids change nothing."""
        self._settle(now)
        for ack_id in ack_ids:
            held = self._leases.get(ack_id)
            if held is None or happens(self.faults.lose_ack, self.faults.seed, "ack", ack_id):
                continue
            entry = held[0]
            if self._line(entry) and happens(
                self.faults.nack_ordered, self.faults.seed, "nack", ack_id
            ):
                self._return(entry, now)
            else:
                self._forget(entry)

    def modify(self, ack_ids: list[str], seconds: int, now: int) -> None:
        """Let these leases end in ``seconds``; 0 returns the messages at once."""
        self._settle(now)
        for ack_id in ack_ids:
            held = self._leases.get(ack_id)
            if held is None:
                continue
            if seconds == 0:
                self._return(held[0], now)
            else:
                self._until(held[0], now + seconds * 1000)

    def held(self, consumer: str) -> int:
        """Count the unsettled messages of a consumer."""
        return self._held[consumer]

    def unacked(self) -> set[str]:
        """Return the names of the unacknowledged messages, delivered or not."""
        return {message_id for message_id, count in self._open.items() if count > 0}

    def _settle(self, now: int) -> None:
        while self._ends and self._ends[0][0] <= now:
            end, token = heappop(self._ends)
            held = self._leases.get(token)
            if held is not None and held[1] == end:
                self._return(held[0], now)
        while self._later and self._later[0][0] <= now:
            self._offer(heappop(self._later)[2])

    def _offer(self, entry: Entry) -> None:
        line = self._line(entry)
        if line is None:
            jitter = draw(self.faults.seed, "place", _try(entry)) * self.faults.reorder
            heappush(self._ready, (entry.place + jitter, entry.place, entry))
        else:
            self._free.append(entry.message.ordering_key)

    def _line(self, entry: Entry) -> Line | None:
        return self._lines.get(entry.message.ordering_key) if self._ordered else None

    def _repeat(self, entry: Entry) -> None:
        self._count += 1
        self._open[entry.message.message_id] += 1
        twin = Entry(entry.message, self._count, entry.available)
        twin.attempt = entry.attempt + 1
        heappush(self._ready, (twin.place, twin.place, twin))

    def _from_line(self, key: str, limit: int, now: int, consumer: str) -> list[Delivery]:
        line = self._lines.get(key, Line())
        given: list[Delivery] = []
        while line.next < len(line.entries) and len(given) < limit:
            entry = line.entries[line.next]
            mine = not line.leased or bool(given) or self._holder(line) == (consumer or None)
            if entry.available > now or not mine:
                break
            line.next += 1
            line.leased += 1
            delivery = self._lease(entry, now, consumer)
            given.append(delivery)
            if happens(self.faults.duplicate, self.faults.seed, "twin", delivery.ack_id):
                given.append(delivery)
        if line.next < len(line.entries) and len(given) >= limit:
            self._free.append(
                key
            )  # otherwise an acknowledgement or a due message makes it available again
        return given

    def _holder(self, line: Line) -> str | None:
        return line.entries[line.next - 1].consumer if line.next else None

    def _lease(self, entry: Entry, now: int, consumer: str) -> Delivery:
        entry.attempt += 1
        entry.acked = False
        self._tokens += 1
        entry.token = f"{entry.message.message_id}.{entry.attempt}.{self._tokens}"
        entry.consumer = consumer
        self._held[consumer] += 1
        short = happens(self.faults.expire_lease, self.faults.seed, "lease", _try(entry))
        self._until(entry, now if short else now + self._deadline_ms)
        return Delivery(entry.token, entry.message, entry.attempt)

    def _until(self, entry: Entry, end: int) -> None:
        self._leases[entry.token] = (entry, end)
        heappush(self._ends, (end, entry.token))

    def _release(self, entry: Entry) -> None:
        del self._leases[entry.token]
        self._held[entry.consumer] -= 1
        entry.token = ""
        line = self._line(entry)
        if line is not None:
            line.leased -= 1

    def _forget(self, entry: Entry) -> None:
        self._release(entry)
        entry.acked = True
        self._open[entry.message.message_id] -= 1
        line = self._line(entry)
        if line is not None:
            while line.head < line.next and line.entries[line.head].acked:
                line.head += 1
            if line.head == len(line.entries):
                del self._lines[entry.message.ordering_key]
            elif not line.leased:
                self._free.append(entry.message.ordering_key)

    def _return(self, entry: Entry, now: int) -> None:
        line = self._line(entry)
        if line is None:
            self._release(entry)
            heappush(self._later, (now, entry.place, entry))
            return
        first = line.entries.index(entry, line.head)
        for later in line.entries[first : line.next]:
            if later.token:
                self._release(later)
            elif later.acked:
                self._open[later.message.message_id] += 1
            later.acked = False
        line.next = first
        heappush(self._later, (now, entry.place, entry))


def _try(entry: Entry) -> str:
    return f"{entry.message.message_id}.{entry.attempt}.{entry.place}"
