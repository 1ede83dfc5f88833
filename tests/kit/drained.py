"""A drained subscription as a script for the bundle-based runner: watermark from the data.

That runner cannot read an unbounded source, and its own Pub/Sub reader acknowledges first. So
our reader fetches what there is, the job runs over it to its end, and only then are the marks
finalized: nothing is acknowledged before its outputs have left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from tests.kit.streams import Step
from transforms.sources.pubsub import Received
from transforms.sources.pubsub_hand import Delivery, Mark, Settings
from transforms.sources.pubsub_reader import PubSubReader

QUIET_MS = 700
PIECE = 5 * 86_400_000


class Drained(msgspec.Struct, gc=False):
    """What a reader handed on, and the marks over it."""

    reader: PubSubReader
    deliveries: list[Delivery]
    marks: list[Mark]

    def finalize(self) -> list[str]:
        """Take everything as durable; name what was acknowledged.

        The reader acknowledges one round late, so the last marks are followed by empty ones.
        """
        acknowledged: list[str] = []
        for mark in self.marks:
            acknowledged += self.reader.finalize(mark)
        for _ in range(2):
            acknowledged += self.reader.finalize(self.reader.get_checkpoint_mark())
        return acknowledged


def drain(settings: Settings, expected: int, bundle: int = 1000) -> Drained:
    """Fetch until so many different records have come, and then none for a moment."""
    reader = PubSubReader(settings)
    found = Drained(reader, [], [])
    seen: set[str] = set()
    came = reader.start()
    while came or len(seen) < expected:
        if came:
            delivery = reader.get_current()
            found.deliveries.append(delivery)
            seen.add(delivery.attributes.get(settings.id_attribute, delivery.message_id))
            if len(found.deliveries) % bundle == 0:
                found.marks.append(reader.get_checkpoint_mark())
        came = reader.advance(QUIET_MS)
    found.marks.append(reader.get_checkpoint_mark())
    return found


def script(deliveries: Sequence[Delivery], slack_ms: int, until: int) -> list[Step]:
    """Say what the watermark was before each record: the oldest still to come, less the slack.

    It goes on in steps of some days, since this runner does not hold it back for alarms that
    fire (others do), and what is too late is not counted. It ends at ``until``.
    """
    oldest: list[int] = []
    for delivery in reversed(deliveries):
        oldest.append(min(delivery.timestamp, oldest[-1] if oldest else delivery.timestamp))
    steps: list[Step] = []
    watermark = oldest[-1] - slack_ms if oldest else until
    for delivery, reached in zip(deliveries, reversed(oldest), strict=True):
        if reached - slack_ms > watermark or not steps:
            steps += [*_steps(watermark, reached - slack_ms), []]
            watermark = max(watermark, reached - slack_ms)
        here = steps[-1]
        assert isinstance(here, list)
        here.append((as_received(delivery), delivery.timestamp))
    return [*steps, *_steps(watermark, until)]


def _steps(start: int, end: int) -> Iterator[int]:
    yield from (*range(start, end, PIECE), end)


def as_received(delivery: Delivery) -> Received:
    """Give a delivery as the source hands it on."""
    return (
        delivery.data,
        delivery.attributes,
        delivery.published,
        delivery.message_id,
    )
