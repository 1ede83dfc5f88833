"""Messages of the events topic into signals by space and user; what is none is a dead letter.

An element's timestamp is its receipt: the watermark is about receipts, so the core must judge
by the same ones (R1). A heartbeat has moved the watermark by arriving, and ends here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import apache_beam as beam
import msgspec
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.timestamp import Timestamp

from transforms.beam.run_flows import Key
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.engine.step import is_unused
from transforms.flows.protocol import outputs, signals
from transforms.flows.protocol.signals import Command, ProfileChange, Signal, Time
from transforms.hosting import dead_letters
from transforms.hosting.catalogs import Catalogs, Known
from transforms.hosting.dead_letters import BAD
from transforms.sources.pubsub.beam_source import Received
from transforms.wire.decode import is_unread
from transforms.wire.messages import to_signal
from transforms.wire.raw import Bad

KIND, HEARTBEAT = "kind", "heartbeat"
SPACE = "space"
ID = "id"


@beam.typehints.with_input_types(Received)
@beam.typehints.with_output_types(tuple[Key, bytes])
class Receive(beam.DoFn):
    """Decode, validate, drop what nothing reads, key; ``space`` is for messages that name none.

    ``joins`` says that what keys tell each other comes back to the job; else no keys are joined,
    and an identify that names two is a change of the user's profile.
    """

    def __init__(self, catalogs: Catalogs, space: str, joins: bool = True) -> None:
        self._catalogs = catalogs
        self._space = space
        self._joins = joins
        self._spaces = catalogs.spaces
        self._count = {
            what: Metrics.counter("receive", what)
            for what in ("heartbeats", "unread", "bad", "signals")
        }

    def process(
        self, element: Received, at: Timestamp = beam.DoFn.TimestampParam
    ) -> Iterator[tuple[Key, bytes] | TaggedOutput]:
        data, attributes, published, message_id = element
        if attributes.get(KIND) == HEARTBEAT:
            self._count["heartbeats"].inc()
            return
        receipt = min(at.micros // 1000, published or at.micros // 1000)
        space = attributes.get(SPACE, self._space)
        if space not in self._spaces:
            bad = Bad(message_id, 0, "unknown_space", "there is no space of that name")
            yield self._dead(self._space, bad, attributes, receipt)
            return
        known = self._catalogs.of(space)
        # An event may be dropped only once no record can come that makes something read it.
        certain = known.catalog.complete_until >= receipt
        some = known.catalog.all_events_since == NEVER
        if (
            certain
            and some
            and _is_json(attributes)
            and is_unread(data, known.catalog.events_read_since)
        ):
            self._count["unread"].inc()
            return
        found = to_signal(data, attributes, None, message_id)
        if isinstance(found, Bad):
            yield self._dead(space, found, attributes, receipt)
        elif certain and is_unused(known.catalog, found):
            self._count["unread"].inc()
        else:
            self._count["signals"].inc()
            found = found if self._joins else alone(found)
            yield (space, found.user), signals.encode(received(found, receipt, known))

    def _dead(
        self, space: str, bad: Bad, attributes: Mapping[str, str], receipt: int
    ) -> TaggedOutput:
        self._count["bad"].inc()
        letter = dead_letters.of_record(space, bad, attributes.get(ID, bad.file), receipt)
        return TaggedOutput(BAD, ((space, letter.user), [outputs.encode(letter)]))


def received(signal: Signal, receipt: int, known: Known) -> Signal:
    """Give a signal the receipt that the watermark goes by.

    A ``wake`` looks no further than the watermark can be: firing earlier would break R1.
    """
    assert not isinstance(signal, Time)
    if isinstance(signal, Command) and signal.what == "wake":
        at = min(signal.time, receipt - known.slack)
        return msgspec.structs.replace(signal, received=receipt, time=at)
    return msgspec.structs.replace(signal, received=receipt)


def alone(signal: Signal) -> Signal:
    """Let an identify of two keys be for the user that it names, and join nothing."""
    if isinstance(signal, ProfileChange) and signal.becomes is not None:
        return msgspec.structs.replace(signal, user=signal.becomes, becomes=None)
    return signal


def _is_json(attributes: Mapping[str, str]) -> bool:
    schema = attributes.get("schema", "event")
    return attributes.get("encoding", "json") == "json" and schema.partition(":")[0] == "event"
