"""One bucket of users from its batches to its files: what every way of running a replay calls."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from pipelines.replay.batches import Tally, joined
from pipelines.replay.fold import fold_bucket, letters
from pipelines.replay.job import Job
from pipelines.replay.results import Result
from pipelines.replay.tables import Tables
from transforms.flows.catalog.epochs import Catalog


@contextmanager
def few_collections() -> Iterator[None]:
    """Let the collector of cycles run seldom: folding makes many objects and hardly a cycle."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def system_memory() -> Iterator[None]:
    """Let Arrow take its memory from the system: its own pool gives pages back after each chunk."""
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
    """Fold a bucket and write its files.

    ``pieces`` are ranges of its users' hashes in order, each the batches of that range: only
    one of them is held in memory.
    """
    tables, tally, users = Tables(Path(job.out), bucket), Tally(), 0
    try:
        for blobs in pieces:
            batch = joined(blobs)
            tally.add(batch.tally)
            for outputs in fold_bucket(job, catalog, batch):
                users += 1
                tables.write(outputs)
            tables.write(letters(batch.bad, job.until))
        parts = tables.close()
    except BaseException:
        tables.discard()
        raise
    return Result(bucket, users, parts, tally)
