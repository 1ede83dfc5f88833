"""Turns the lines of a job without a broker into the tables that a replay writes.

Flink commits a file of lines once its checkpoint is complete, and never changes it. Each becomes one
part of each of its tables, named after it, then it is removed: a collection that is killed is repeated
with the same parts, so every row is in its table once.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import unquote

import msgspec

from pipelines.replay.recount import COUNTED, recount
from transforms.sinks import parquet
from transforms.sinks.folders import Table, folder_of, locked
from transforms.sinks.part_files import Written, add_parts, finish, listed
from transforms.wire.output_lines import FOLDER, of_line
from transforms.wire.rows import Row, name_of, to_row


class Collected(msgspec.Struct, frozen=True):
    """How many rows were added to a table."""

    space: str
    kind: str
    rows: int


def collect(out: Path) -> list[Collected]:
    """Add what has been committed to the tables. Two collections of a folder wait for each other."""
    counts: Counter[Table] = Counter()
    with locked(out / FOLDER):
        files = sorted((out / FOLDER).glob("part-*"))
        for file in files:
            counts += _collect(file, out)
        os.sync()  # a power failure must not lose both lines and rows
        for file in files:
            file.unlink()
    return [Collected(*table, rows) for table, rows in sorted(counts.items())]


def _collect(file: Path, out: Path) -> Counter[Table]:
    tables: dict[Table, list[Row]] = defaultdict(list)
    with file.open("rb") as text:
        for line in text:
            space, output = of_line(line)
            tables[space, name_of(output)].append(to_row(output))
    counts: Counter[Table] = Counter()
    for (space, kind), rows in tables.items():
        folder = folder_of(out, space)
        written = parquet.write(kind, rows, folder, shard=file.name.removeprefix("part-"))
        add_parts(kind, folder, written.parts)
        counts[space, kind] = written.rows
    return counts


def count_metrics(out: Path) -> list[Collected]:
    """Count the metrics of each space again, from all rows of its tables."""
    found = []
    for folder in sorted(path for path in out.glob("[!.]*") if path.is_dir()):
        if any(listed(kind, folder) for kind in COUNTED):
            for kind, part in recount(folder).items():
                finish(kind, folder, [Written((part,))])
                found.append(Collected(unquote(folder.name), kind, part.rows))
    return found
