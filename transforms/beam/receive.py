"""Messages of the events topic to encoded signals by key; dead letters have an output of their own.

An element's timestamp is its receipt.
"""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.timestamp import Timestamp

from transforms.beam.elements import BAD
from transforms.flows.protocol import outputs, signals
from transforms.hosting.allowed import Source
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.receive import ANY_SOURCE, Accepted, Key, Rejected, receive
from transforms.sources.pubsub.beam_source import Received


@beam.typehints.with_input_types(Received)
@beam.typehints.with_output_types(tuple[Key, bytes])
class Receive(beam.DoFn):
    """Decode, validate and key messages; see ``transforms.hosting.receive``."""

    def __init__(
        self, catalogs: Catalogs, space: str, joins: bool = True, source: Source = ANY_SOURCE
    ) -> None:
        self._catalogs = catalogs
        self._space = space
        self._joins = joins
        self._source = source
        self._count = {
            what: Metrics.counter("receive", what)
            for what in ("heartbeats", "unread", "bad", "not_allowed", "signals")
        }

    def process(
        self, element: Received, at: Timestamp = beam.DoFn.TimestampParam
    ) -> Iterator[tuple[Key, bytes] | TaggedOutput]:
        data, attributes, published, message_id = element
        ms = at.micros // 1000
        receipt = min(ms, published or ms)
        match receive(
            self._catalogs,
            data,
            attributes,
            receipt,
            message_id=message_id,
            space=self._space,
            joins=self._joins,
            source=self._source,
        ):
            case Accepted() as accepted:
                self._count["signals"].inc()
                yield accepted.key, signals.encode(accepted.signal)
            case Rejected(space, letter):
                self._count["not_allowed" if letter.reason == "not_allowed" else "bad"].inc()
                yield TaggedOutput(BAD, ((space, letter.user), [outputs.encode(letter)]))
            case "heartbeat":  # it has moved the watermark by arriving
                self._count["heartbeats"].inc()
            case "unread":
                self._count["unread"].inc()
