"""Reads a subscription to its end into a TestStream script with watermarks computed from the data.

The bundle-based runner cannot read an unbounded source, and its own Pub/Sub reader acknowledges
too early. So our reader fetches what there is, and the job runs over it to its end. Checkpoints
are finalized either only then, so that nothing is acknowledged before its outputs are written
(``drain``), or as soon as they are made, as if the runner had committed the bundle: what is
delivered again comes into the same run, behind the watermark (``work_off``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from tests.kit.clock import ManualClock
from tests.kit.pubsub_server import PubSubServer
from tests.kit.streams import Step
from transforms.sources.pubsub.beam_source import Received
from transforms.sources.pubsub.leases import Delivery, Mark, Settings
from transforms.sources.pubsub.reader import PubSubReader

QUIET_MS = 700
PIECE = 5 * 86_400_000
ROUND_MS = 3_000
"""How far the server's clock advances in a round."""
ROUNDS = 5_000


class Drained(msgspec.Struct, gc=False):
    """The records that a reader returned, and the checkpoints for them."""

    reader: PubSubReader
    deliveries: list[Delivery]
    marks: list[Mark]

    def finalize(self) -> list[str]:
        """Treat everything as durable; return what was acknowledged.

        The reader acknowledges one round late, so the last checkpoints are followed by empty ones.
        """
        acknowledged: list[str] = []
        for mark in self.marks:
            acknowledged += self.reader.finalize(mark)
        for _ in range(2):
            acknowledged += self.reader.finalize(self.reader.get_checkpoint_mark())
        return acknowledged


def drain(settings: Settings, expected: int, bundle: int = 1000) -> Drained:
    """Fetch until this many different records have arrived, and then none for a short time."""
    reader = PubSubReader(settings)
    found = Drained(reader, [], [])
    seen: set[str] = set()
    came = reader.start()
    while came or len(seen) < expected:
        if came:
            delivery = reader.get_current()
            found.deliveries.append(delivery)
            seen.add(delivery.attributes.get("id", delivery.message_id))
            if len(found.deliveries) % bundle == 0:
                found.marks.append(reader.get_checkpoint_mark())
        came = reader.advance(QUIET_MS)
    found.marks.append(reader.get_checkpoint_mark())
    return found


class Consumed(msgspec.Struct, gc=False):
    """The records that a reader returned, and what was acknowledged before its round was over."""

    deliveries: list[Delivery]
    early: set[str]


def consume(
    server: PubSubServer,
    clock: ManualClock,
    settings: Settings,
    publishing: Iterator[None],
    round_ms: int = ROUND_MS,
) -> Consumed:
    """Read while records are published, until everything is acknowledged.

    The clock advances, so that lost leases end. A runner may finalize a bundle before its
    checkpoint is complete, so after a round the broker may have acknowledgements only of earlier
    rounds; any other acknowledgement is listed as ``early``.
    """
    reader = PubSubReader(settings, clock=clock, background=False)
    found = Consumed([], set())
    every: set[str] = set()
    final: set[str] = set()
    for _ in range(ROUNDS):
        more = next(publishing, "no more") is None
        every |= server.unacked(settings.subscription)
        if not more and not server.unacked(settings.subscription):
            reader.close()
            return found
        reader.poll()
        given = list(_bundle(reader))
        reader.finalize(reader.get_checkpoint_mark())
        found.early |= every - server.unacked(settings.subscription) - final
        final |= {delivery.message_id for delivery in given}
        found.deliveries += given
        reader.extend()
        clock.advance(round_ms)
    raise AssertionError("some messages are never acknowledged")


def _bundle(reader: PubSubReader) -> Iterator[Delivery]:
    while reader.advance():
        yield reader.get_current()


def script(deliveries: Sequence[Delivery], slack_ms: int, until: int, grain: int = 1) -> list[Step]:
    """Return records with the watermark before each: the oldest still to come, minus the slack.

    A record that came before does not hold the watermark back. The watermark advances by
    multiples of ``grain``, and by some days at most, since this runner does not hold it back for
    timers that fire (others do). Records that are too late are not considered. The script ends at
    ``until``.
    """
    oldest: list[int] = []
    for delivery in reversed(_first(deliveries)):
        oldest.append(min(delivery.timestamp, oldest[-1] if oldest else delivery.timestamp))
    steps: list[Step] = []
    watermark = (oldest[-1] - slack_ms) // grain * grain if oldest else until
    known: set[str] = set()
    for delivery in deliveries:
        if delivery.message_id not in known:
            known.add(delivery.message_id)
            reached = (oldest.pop() - slack_ms) // grain * grain
            if reached > watermark or not steps:
                steps += [*_steps(watermark, reached, grain), []]
                watermark = max(watermark, reached)
        here = steps[-1]
        assert isinstance(here, list)
        here.append((as_received(delivery), delivery.timestamp))
    return [*steps, *_steps(watermark, until, grain)]


def _first(deliveries: Sequence[Delivery]) -> list[Delivery]:
    found: dict[str, Delivery] = {}
    for delivery in deliveries:
        found.setdefault(delivery.message_id, delivery)
    return list(found.values())


def _steps(start: int, end: int, grain: int) -> Iterator[int]:
    yield from (*range(start, end, PIECE if grain == 1 else grain), end)


def as_received(delivery: Delivery) -> Received:
    """Return a delivery as the source returns it."""
    return (
        delivery.data,
        delivery.attributes,
        delivery.published,
        delivery.message_id,
    )
