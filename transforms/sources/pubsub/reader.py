"""Reads a Pub/Sub subscription without Beam; threads fetch messages and extend leases.

Nothing is acknowledged before it is finalized. After a crash, a lost response or an expired lease
the broker redelivers the message under the same message id (R5, R31).
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from transforms.sources.pubsub.client import Subscriber, Unanswered, chunks
from transforms.sources.pubsub.leases import Delivery, LeaseBook, Mark, Settings

LOG = logging.getLogger(__name__)
LONGEST_PAUSE = 5.0
SHORTEST_LEASE = 10
"""The shortest lease of a subscription, in seconds."""


def system_clock() -> int:
    """Read the machine's clock, ms since 1970."""
    return time.time_ns() // 1_000_000


class PubSubReader:
    """One reader of a subscription; ``start`` or ``advance`` first, then the current record.

    With ``background=False`` nothing runs in threads: call ``poll``, ``extend`` and ``rest``.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], int] = system_clock,
        resume: Mark | None = None,
        background: bool = True,
    ) -> None:
        self.id = uuid.uuid4().hex
        self._settings = settings
        self._clock = clock
        self._subscriber = Subscriber(settings.subscription, settings.timestamp_attribute)
        self._leases = LeaseBook(settings, self.id)
        if resume is not None:
            self._leases.adopt(resume)
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._current: Delivery | None = None
        self._parked: tuple[Mark, int] | None = None
        self._background = background
        self._threads: list[threading.Thread] = []

    def start(self) -> bool:
        """Start fetching; return True if there is a first record."""
        if self._background and not self._threads:
            for work in (self._keep_fetching, self._keep_extending):
                self._threads.append(threading.Thread(target=work, name="pubsub", daemon=True))
                self._threads[-1].start()
        return self.advance()

    def advance(self, wait_ms: int = 0) -> bool:
        """Move to the next record; False if none arrives within ``wait_ms``."""
        with self._changed:
            self._parked = None
            if wait_ms:
                self._changed.wait_for(lambda: self._leases.waiting, wait_ms / 1000)
            self._current = self._leases.next()
            return self._current is not None

    def get_current(self) -> Delivery:
        """Return the current record."""
        if self._current is None:
            raise LookupError("there is no current record")
        return self._current

    def get_current_timestamp(self) -> int:
        """Return its receipt, ms."""
        return self.get_current().timestamp

    def get_watermark(self) -> int:
        """Return the instant (ms) before which no receipt is expected."""
        with self._changed:
            return self._leases.watermark(self._clock())

    def get_checkpoint_mark(self) -> Mark:
        """Close a bundle; the mark covers what was emitted since the last one."""
        with self._changed:
            mark = self._leases.cut()
            self._parked = mark, self._clock()
            return mark

    def resume_from(self, mark: Mark) -> bool:
        """Resume this reader if ``mark`` is its last bundle; False if it is not, or is closed."""
        with self._changed:
            is_last = self._parked is not None and self._parked[0] == mark
            if is_last and not self._closed.is_set():
                self._parked = None
                return True
            return False

    def finalize(self, mark: Mark) -> tuple[str, ...]:
        """Finalize a bundle; acknowledge the ids that earlier rounds finalized, and return them.

        Empty bundles are rounds, too: without them the last records are never acknowledged.
        """
        with self._changed:
            ready = self._leases.finalize(mark)
        return tuple(ack_id for chunk in chunks(ready) for ack_id in self._acknowledge(chunk))

    def leave(self, ack_ids: Sequence[str]) -> None:
        """Leave records to the broker, which delivers them again once their leases have ended."""
        with self._changed:
            self._leases.leave(ack_ids)

    def _acknowledge(self, ack_ids: Sequence[str]) -> Sequence[str]:
        try:
            self._subscriber.acknowledge(ack_ids)
        except Unanswered as error:  # the next round tries again
            LOG.warning("%s: acknowledge: %s", self._settings.subscription, error)
            return ()
        with self._changed:
            self._leases.acknowledged(ack_ids)
        return ack_ids

    def poll(self, *, wait: bool = False) -> bool:
        """Pull once if there is room; False if the broker did not answer."""
        with self._changed:
            room = self._leases.room
        if room <= 0:
            return True
        asked = self._clock()
        try:
            deliveries = self._subscriber.pull(room, wait=wait)
        except Unanswered as error:
            if not self._closed.is_set():
                LOG.warning("%s: pull: %s", self._settings.subscription, error)
            with self._changed:
                self._leases.forget_idle()
            return False
        with self._changed:
            self._leases.receive(deliveries, asked)
            self._changed.notify_all()
        return True

    def extend(self) -> None:
        """Extend the leases that are due; a failure only causes a duplicate."""
        now = self._clock()
        with self._changed:
            leases = self._leases.leases(now)
        for chunk in chunks(leases):
            try:
                self._subscriber.extend(chunk, self._settings.ack_seconds)
            except Unanswered as error:
                LOG.warning("%s: extend: %s", self._settings.subscription, error)
                continue
            with self._changed:
                self._leases.extended(chunk, now)

    def rest(self) -> bool:
        """Return fetched messages to the broker if no bundle followed the last; True if so."""
        with self._changed:
            if self._parked is None or self._clock() - self._parked[1] < self._settings.rest_ms:
                return False
            unused = self._leases.give_back()
        self._give_back(unused)
        return True

    def _give_back(self, ack_ids: Sequence[str]) -> None:
        for chunk in chunks(ack_ids):
            try:
                self._subscriber.extend(chunk, 0)
            except Unanswered as error:
                LOG.warning("%s: give back: %s", self._settings.subscription, error)

    def close(self) -> None:
        """Stop: fetched messages go back to the broker, emitted ones when their lease expires."""
        if self._closed.is_set():
            return
        self._closed.set()
        with self._changed:
            unused = self._leases.give_back()
        self._give_back(unused)
        self._subscriber.close()
        for thread in self._threads:
            thread.join(1.0)

    def _keep_fetching(self) -> None:
        pause = 0.05
        while not self._closed.is_set():
            if self._leases.room <= 0 or self.rest():
                self._closed.wait(0.02)
            elif self.poll(wait=True):
                pause = 0.05
            else:
                self._closed.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _keep_extending(self) -> None:
        while not self._closed.wait(min(self._settings.ack_seconds, SHORTEST_LEASE) / 3):
            self.extend()
