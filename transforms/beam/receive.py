"""Messages of the events topic to encoded signals by key; dead letters have an output of their own.

An element's timestamp is its receipt.
"""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.timestamp import Timestamp

from transforms.beam.count_metrics import beam_counts
from transforms.beam.elements import BAD
from transforms.flows.protocol import outputs, signals
from transforms.hosting import job_metrics, trouble, watch_logs
from transforms.hosting.allowed import Source
from transforms.hosting.catalogs import Catalogs
from transforms.hosting.receive import ANY_SOURCE, Accepted, Key, Rejected, receive
from transforms.hosting.settings import system_clock
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
        self._counts = beam_counts()

    def finish_bundle(self) -> None:
        """Count what was received, and how the control logs are: heartbeats come here, too."""
        watch_logs.count_health(self._counts, self._catalogs, system_clock())
        self._counts.flush()

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
                self._counts.add(job_metrics.SIGNALS)
                yield accepted.key, signals.encode(accepted.signal)
            case Rejected(space, letter):
                self._counts.add_reason(letter)
                trouble.report(letter.reason, space=space)
                # Without a user, by its id: one key would be a single line of all such letters.
                key = space, letter.user or letter.id
                yield TaggedOutput(BAD, (key, [outputs.encode(letter)]))
            case "heartbeat":  # it has moved the watermark by arriving
                self._counts.add(job_metrics.HEARTBEATS)
            case "unread":
                self._counts.add(job_metrics.UNREAD)
