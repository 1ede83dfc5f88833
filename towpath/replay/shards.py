"""Replays on this machine: the users are split into shards on disk, by a hash of their keys.

The results are byte for byte those of the Beam pipeline. Each process holds one shard at a time.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

from pipelines.replay import job as jobs
from pipelines.replay.batches import BUCKETS
from pipelines.replay.bucket import run_bucket
from pipelines.replay.garbage import few_collections
from pipelines.replay.job import Job, Slice
from pipelines.replay.read import read_slice, slices
from pipelines.replay.results import Account, Result, begin_run, finish_run, shape_of
from towpath.replay.processes import Listener, Processes
from transforms.flows.catalog.epochs import Catalog

LENGTH = struct.Struct("<I")
MOST = 4096
SHARDS = ".shards-"
"""How the names of folders with shards begin."""


def replay_in_shards(job: Job, shards: int, processes: int, listener: Listener) -> Account:
    """Replay with ``shards`` shards, rounded up to whole buckets, in ``processes`` processes.

    ``listener`` gets what is done: "read" records, then "users".
    """
    pieces = -(-min(shards, MOST) // BUCKETS)
    sent = jobs.encode(job)
    begin_run(job)
    with (
        few_collections(),
        tempfile.TemporaryDirectory(prefix=SHARDS, dir=job.out) as folder,
        Processes(min(processes, BUCKETS), listener) as pool,
    ):
        parts = enumerate(slices(job, processes))
        pool.run(partial(_split, sent, folder, pieces), parts)
        results = pool.run(partial(_replay, sent, folder, pieces), range(BUCKETS))
    return finish_run(job, results, shape_of(jobs.catalog(job)))


def _split(sent: bytes, folder: str, pieces: int, item: tuple[int, Slice]) -> None:
    """Split one slice of the input into the files of the shards."""
    number, part = item
    job, catalog = _prepared(sent)
    for shard, blob in read_slice(job, catalog, part, BUCKETS * pieces):
        with _file(folder, shard, number).open("ab") as file:
            file.write(LENGTH.pack(len(blob)))
            file.write(blob)


def _replay(sent: bytes, folder: str, pieces: int, bucket: int) -> Result:
    """Replay the shards of one bucket, in the order of their hashes."""
    job, catalog = _prepared(sent)
    numbers = range(bucket * pieces, (bucket + 1) * pieces)
    blobs = (_blobs(Path(folder), number) for number in numbers)
    return run_bucket(job, catalog, bucket, blobs)


@lru_cache(maxsize=1)
def _prepared(sent: bytes) -> tuple[Job, Catalog]:
    """Decode the job and build its catalog, once in a process."""
    job: Job = jobs.decode(sent)
    return job, jobs.catalog(job)


def _file(folder: str, shard: int, number: int) -> Path:
    return Path(folder) / f"{shard:05}-{number:05}"


def _blobs(folder: Path, shard: int) -> Iterator[bytes]:
    for path in sorted(folder.glob(f"{shard:05}-*")):
        with path.open("rb") as file:
            while length := file.read(LENGTH.size):
                yield file.read(LENGTH.unpack(length)[0])
