"""Compacts all tables of a streaming job."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

import msgspec

import schemas
from pipelines.compact.lease import alone, now
from pipelines.compact.places import files, folders
from pipelines.compact.table import Done, Rules, compact_table
from transforms.sinks.part_files import ADDED, Place


class Compacted(msgspec.Struct, frozen=True):
    """What was done to one table."""

    space: str
    kind: str
    merged: int
    into: int
    removed: int


def tables_in(out: Place) -> list[tuple[Place, str]]:
    """List the tables below the folder of a streaming job: the folder of the space, and the kind.

    Numbers of windows are left out: their files are replaced as they grow.
    """
    return [
        (space, table.name)
        for space in folders(out)
        for table in folders(space)
        if table.name in schemas.OUTPUTS and any(True for _ in files(table / ADDED))
    ]


def compact(out: Place, rules: Rules) -> Iterator[Compacted]:
    """Compact one table after the other; yield what was done. Raises Busy."""
    with alone(out) as renew:
        for space, kind in tables_in(out):
            renew()
            done: Done = compact_table(kind, space, rules, now())
            yield Compacted(unquote(space.name), kind, done.merged, done.into, done.removed)
