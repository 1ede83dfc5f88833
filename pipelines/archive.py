"""The archive of a job's topics as one log that a replay reads.

    python -m pipelines.archive --space shop --out log.jsonl archive/events archive/handovers=handover …

The archive has the messages as Pub/Sub writes them to Cloud Storage, and ``towpath relay kafka files``
those of Kafka: Avro files with the body, the attributes and the publish time of each. What the job
refused, such as a command in the folder of events, is left out; so are other spaces and heartbeats.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from transforms.hosting.allowed import KINDS, restricted_kind
from transforms.hosting.receive import HEARTBEAT, KIND, SPACE
from transforms.sources.pubsub.client import receipt
from transforms.wire.messages import to_envelope, to_signal
from transforms.wire.raw import Bad
from transforms.wire.rows import EPOCH, MILLISECOND
from transforms.wire.values import FIRST, LAST

SCHEMA = {
    "type": "record",
    "name": "PubsubMessage",
    "fields": [
        {"name": "subscription_name", "type": "string"},
        {"name": "message_id", "type": "string"},
        {"name": "publish_time", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "attributes", "type": {"type": "map", "values": "string"}},
        {"name": "data", "type": "bytes"},
    ],
}
"""The schema of the files, as Pub/Sub writes them with ``write_metadata``."""

Line = tuple[int, int, bytes]
"""A record with its ingestion time and its publish time, in ms."""


class Archived(msgspec.Struct, frozen=True, gc=False):
    """A message in the archive; ``published`` is its publish time, in ms."""

    id: str
    published: int
    attributes: dict[str, str]
    data: bytes


def encoded(messages: Iterable[Archived]) -> bytes:
    """Return the file of some messages."""
    rows = (
        {"subscription_name": "", "message_id": one.id, "publish_time": one.published * 1000,
         "attributes": one.attributes, "data": one.data}
        for one in messages
    )  # fmt: skip
    file = BytesIO()
    fastavro.writer(file, SCHEMA, rows, codec="deflate")
    return file.getvalue()


def lines(
    folder: Path, allow: frozenset[str], space: str, default: str, attribute: str | None
) -> Iterator[Line]:
    """Read the records of a space from the files of a topic, with the time the job took for each."""
    for path in sorted(folder.rglob("*.avro")):
        with path.open("rb") as file:
            for message in fastavro.reader(file):
                assert isinstance(message, dict)
                attributes: dict[str, str] = message["attributes"]
                if attributes.get(KIND) == HEARTBEAT or attributes.get(SPACE, default) != space:
                    continue
                published = _ms(message["publish_time"])
                if not FIRST < published < LAST:  # it became a dead letter
                    continue
                signal = to_signal(message["data"], attributes)
                if isinstance(signal, Bad) or restricted_kind(signal) not in allow | {None}:
                    continue
                at = receipt(attributes.get(attribute or ""), published)
                signal = msgspec.structs.replace(signal, received=at)
                yield at, published, to_envelope(signal)


def _ms(time: Any) -> int:
    return (time - EPOCH) // MILLISECOND if isinstance(time, datetime) else int(time) // 1000


def _source(word: str) -> tuple[Path, frozenset[str]]:
    """Parse ``FOLDER[=KIND,KIND]``. Raises ArgumentTypeError for an unknown kind or no folder."""
    name, equals, said = word.partition("=")
    kinds = frozenset(said.split(",") if equals else ())
    if unknown := sorted(kinds - KINDS.keys()):
        raise argparse.ArgumentTypeError(f'"{unknown[0]}" is not one of {", ".join(KINDS)}')
    if not Path(name).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {name}")
    return Path(name), kinds


def run(words: Sequence[str]) -> int:
    """Write the log."""
    parser = argparse.ArgumentParser("python -m pipelines.archive", description=__doc__)
    add = parser.add_argument
    add("folders", type=_source, nargs="+", metavar="FOLDER[=KIND,KIND]",
        help="folder of a topic's files: that of events, then others, with the kinds that each may "
        "bring besides the usual ones, as in --subscription of the job")  # fmt: skip
    add("--out", type=Path, required=True, help="the log: JSON lines in the order of arrival")
    add("--space", default="default", help="the space whose records are written")
    add("--default_space", help="space of messages without a space attribute (default: --space)")
    add("--timestamp_attribute", help="as of the job: it is for the first folder")
    given = parser.parse_args(words)
    found: list[Line] = []
    for number, (folder, allow) in enumerate(given.folders):
        attribute = None if number else given.timestamp_attribute
        default = given.default_space or given.space
        found += lines(folder, allow, given.space, default, attribute)
    found.sort(key=lambda line: line[:2])
    with given.out.open("wb") as file:
        file.writelines(line + b"\n" for _, _, line in found)
    print(f"{len(found):,} records in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
