"""Tables of the core's outputs, and those in a folder, so that tests can compare them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq

from tests.kit.random_users import fold_all
from tests.kit.stream_sample import Sample
from transforms.flows.protocol import outputs
from transforms.sinks import parquet
from transforms.sinks.folders import TO_TABLES
from transforms.sinks.part_files import listed
from transforms.wire.arrow import arrow_schema
from transforms.wire.rows import Row, canonical, from_row, name_of, to_row

Tables = dict[str, list[bytes]]


def replayed(people: Sample) -> Tables:
    """Return the rows that the core decides, by kind."""
    found: Tables = defaultdict(list)
    arrived = [(record.key, record.signal) for record in people.records]
    for encoded in fold_all(people, people.users, arrived).values():
        for output in map(outputs.decode, encoded):
            if name_of(output) in TO_TABLES:
                found[name_of(output)].append(canonical(to_row(output)))
    return {kind: sorted(rows) for kind, rows in found.items()}


def read_tables(folder: Path) -> Tables:
    """Read the tables of a space, but dead letters; their types are those of a replay's."""
    found: Tables = {}
    for kind in TO_TABLES:
        rows: list[Row] = []
        for path in listed(kind, folder):
            assert pq.read_schema(path).equals(arrow_schema(kind))
            rows += [to_row(from_row(kind, row)) for row in parquet.read(path)]
        if rows and kind != "dead_letter":
            found[kind] = sorted(map(canonical, rows))
    return found
