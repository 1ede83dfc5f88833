"""A subscription read to its end, as a script for the bundle-based runner: watermark from the data.

That runner cannot read an unbounded source, and its own Pub/Sub reader acknowledges first. So
our reader fetches what there is, and the job runs over it to its end. Either the marks are
finalized only then: nothing is acknowledged before its outputs have left (``drain``). Or each
is as soon as it is cut, as if the runner had committed the bundle: what comes again after an
acknowledgement comes into the same run, behind the watermark (``work_off``).
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
"""What passes on the server's clock in a round."""
ROUNDS = 5_000


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


class WorkedOff(msgspec.Struct, gc=False):
    """What a reader handed on, and what was acknowledged although its round was not over."""

    deliveries: list[Delivery]
    early: set[str]


def work_off(
    server: PubSubServer,
    clock: ManualClock,
    settings: Settings,
    publishing: Iterator[None],
    round_ms: int = ROUND_MS,
) -> WorkedOff:
    """Read while somebody publishes, until everything is acknowledged.

    The clock moves on, so that lost leases end. A runner may call a bundle final before its
    checkpoint is complete, so after a round the broker may know at most what earlier rounds
    covered; whatever else it knows came ``early``.
    """
    reader = PubSubReader(settings, clock=clock, background=False)
    found = WorkedOff([], set())
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
    """Say what the watermark was before each record: the oldest still to come, less the slack.

    A record that has come before holds nothing back. The watermark moves by multiples of
    ``grain``, and in steps of some days at most, since this runner does not hold it back for
    alarms that fire (others do), and what is too late is not counted. It ends at ``until``.
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
    """Give a delivery as the source hands it on."""
    return (
        delivery.data,
        delivery.attributes,
        delivery.published,
        delivery.message_id,
    )
