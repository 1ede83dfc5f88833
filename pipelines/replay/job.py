"""The job of a replay: a value that every worker gets."""

from __future__ import annotations

import msgspec

from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.protocol.control_records import ControlRecord
from transforms.wire.mapping import Mapping
from transforms.wire.raw import WHOLE, Range

Rates = dict[str, dict[str, int]]


class Job(msgspec.Struct, frozen=True, gc=False):
    """One replay; ``until`` is ms UTC, ``rates`` are in hundredths of a percent by channel.

    ``effects`` are the assumed effects by flow and goal, for the report.
    ``moves`` says when keys were joined (R8); an audit uses the handovers of its log instead.
    Every worker must be able to reach the paths ``out`` and ``events``.
    ``kinds`` are the tables to write, None for all. With ``export`` each user's state at the end
    is exported.
    """

    records: tuple[ControlRecord, ...]
    events: tuple[str, ...]
    until: int
    out: str
    mapping: Mapping | None = None
    audit: bool = False
    rates: Rates | None = None
    moves: dict[str, list[tuple[int, str]]] = {}
    effects: Rates = {}
    kinds: tuple[str, ...] | None = None
    export: bool = False


class Slice(msgspec.Struct, frozen=True, gc=False):
    """A range of a file, or every ``of``-th record, starting at the ``nth``; both count from 0."""

    file: int
    nth: int = 0
    of: int = 1
    within: Range = WHOLE


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Job).decode


def catalog(job: Job) -> Catalog:
    """Build the catalog, which is the same on every worker."""
    return catalog_of(job.records)
