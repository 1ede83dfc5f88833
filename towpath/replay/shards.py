"""Replay events that do not fit into memory: split by key hash on disk, one shard at a time.

The results are byte for byte those of the pipeline in memory. Each process holds one shard at a
time; with more than one core two processes run in parallel.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pipelines.replay import job as jobs
from pipelines.replay.batches import BUCKETS
from pipelines.replay.bucket import run_bucket
from pipelines.replay.job import Job, Slice
from pipelines.replay.read import read_slice, slices
from pipelines.replay.results import Account, Result, begin_run, finish_run, shape_of

LENGTH = struct.Struct("<I")
MOST = 4096
SHARDS = ".shards-"
"""How the names of folders with shards begin."""

SMALL = 8 * 1024 * 1024
Listener = Callable[[str, int, int], None]


def replay_in_shards(
    job: Job, shards: int, listener: Listener, processes: int | None = None
) -> Account:
    """Replay with ``shards`` shards, rounded up to whole buckets.

    ``listener`` is called with the name of the phase, the finished and the total pieces.
    """
    pieces = -(-min(shards, MOST) // BUCKETS)
    count = processes or _process_count(job)
    sent = jobs.encode(job)
    begin_run(job)
    with tempfile.TemporaryDirectory(prefix=SHARDS, dir=job.out) as folder:
        read = partial(_split, sent, folder, pieces)
        replay = partial(_replay, sent, folder, pieces)
        for _ in _run(read, list(enumerate(slices(job, count))), count, partial(listener, "split")):
            pass
        results = list(_run(replay, list(range(BUCKETS)), count, partial(listener, "replay")))
    return finish_run(job, results, shape_of(jobs.catalog(job)))


def _process_count(job: Job) -> int:
    """Choose the number of processes: for a small input, starting a second one costs more."""
    size = sum(Path(path).stat().st_size for path in job.events)
    return 1 if size < SMALL else min(2, len(os.sched_getaffinity(0)))


def _run(
    work: Callable[[Any], Any],
    items: list[Any],
    processes: int,
    listener: Callable[[int, int], None],
) -> Iterator[Any]:
    """Run the work on each item, in several processes if asked for; yield the results."""
    listener(0, len(items))
    if processes == 1 or len(items) == 1:
        done: Iterable[Any] = map(work, items)
        yield from _counted(done, len(items), listener)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from _counted(pool.imap_unordered(work, items), len(items), listener)


def _counted(
    done: Iterable[Any], whole: int, listener: Callable[[int, int], None]
) -> Iterator[Any]:
    for count, result in enumerate(done, start=1):
        listener(count, whole)
        yield result


def _split(sent: bytes, folder: str, pieces: int, item: tuple[int, Slice]) -> None:
    """Split one slice of the input into the files of the shards."""
    number, part = item
    job = jobs.decode(sent)
    for shard, blob in read_slice(job, jobs.catalog(job), part, BUCKETS * pieces):
        with _file(folder, shard, number).open("ab") as file:
            file.write(LENGTH.pack(len(blob)))
            file.write(blob)


def _replay(sent: bytes, folder: str, pieces: int, bucket: int) -> Result:
    """Replay the shards of one bucket, in the order of their hashes."""
    job = jobs.decode(sent)
    numbers = range(bucket * pieces, (bucket + 1) * pieces)
    blobs = (_blobs(Path(folder), number) for number in numbers)
    return run_bucket(job, jobs.catalog(job), bucket, blobs)


def _file(folder: str, shard: int, number: int) -> Path:
    return Path(folder) / f"{shard:05}-{number:05}"


def _blobs(folder: Path, shard: int) -> Iterator[bytes]:
    for path in sorted(folder.glob(f"{shard:05}-*")):
        with path.open("rb") as file:
            while length := file.read(LENGTH.size):
                yield file.read(LENGTH.unpack(length)[0])
