"""Replay one bucket of users: from its batches to its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from pipelines.replay.batches import Tally, joined
from pipelines.replay.fold import dead_letters, fold_bucket
from pipelines.replay.garbage import few_collections
from pipelines.replay.job import Job
from pipelines.replay.results import Result
from pipelines.replay.tables import Tables
from transforms.flows.catalog.epochs import Catalog


@contextmanager
def system_memory() -> Iterator[None]:
    """Let Arrow use the system allocator: its own pool returns pages after each chunk."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


@few_collections()
@system_memory()
def run_bucket(
    job: Job, catalog: Catalog, bucket: int, pieces: Iterable[Iterable[bytes]]
) -> Result:
    """Replay a bucket and write its files.

    ``pieces`` are consecutive ranges of its users' hashes, each with its batches; one range at a
    time is held in memory.
    """
    tables, tally, users = Tables(Path(job.out), bucket, job.kinds), Tally(), 0
    try:
        for blobs in pieces:
            batch = joined(blobs)
            tally.add(batch.tally)
            for outputs in fold_bucket(job, catalog, batch):
                users += 1
                tables.write(outputs)
            tables.write(dead_letters(batch.bad, job.until))
        parts = tables.close()
    except BaseException:
        tables.discard()
        raise
    return Result(bucket, users, parts, tally)
