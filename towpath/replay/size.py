"""Estimates the size of a replay before it starts: events, memory, processes and shards."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

SAMPLE = 1 << 20
AVRO_RECORD = 120
BASE = 300 << 20
MEMORY_PER_EVENT = 600
SHARD_PER_EVENT = 1_200
MOST_OF_FREE = 0.7
MOST_A_PROCESS = 256 << 20
"""Bytes for a shard's events, even if more is free: more shards cost next to nothing."""
EVENTS_A_PROCESS = 10_000
"""From how many events on one more process pays for its start."""


class Size(msgspec.Struct, frozen=True, gc=False):
    """The estimated number of events, the bytes of memory that Beam needs, and those available."""

    events: int
    memory: int
    free: int

    @property
    def processes(self) -> int:
        """Return how many processes to use: one a core, but few for few events, or little memory."""
        useful = self.events // EVENTS_A_PROCESS
        room = int(self.free * MOST_OF_FREE) // (2 * BASE)
        return max(1, min(len(os.sched_getaffinity(0)), useful, room))

    def shards(self, processes: int) -> int:
        """Return how many shards fit, one at a time in each process: a multiple of 16."""
        room = min(self.free * MOST_OF_FREE - processes * BASE, processes * MOST_A_PROCESS)
        needed = processes * self.events * SHARD_PER_EVENT / max(room, 64 << 20)
        return 16 * max(1, -(-int(needed) // 16))


def size_of(paths: tuple[str, ...]) -> Size:
    """Estimate the input from its files; the first megabyte of each gives the record length."""
    events = sum(_events(Path(path)) for path in paths)
    return Size(events, BASE + events * MEMORY_PER_EVENT, _free())


def _events(path: Path) -> int:
    try:
        size = path.stat().st_size
        if path.suffix == ".parquet":
            return int(pq.read_metadata(path).num_rows)
        if path.suffix == ".avro":
            return size // AVRO_RECORD
        return _lines(path, size)
    except Exception:  # problems with a file are reported when it is read
        return 0


def _lines(path: Path, size: int) -> int:
    with path.open("rb") as packed:
        text = gzip.GzipFile(fileobj=packed) if path.suffix == ".gz" else packed
        lines = text.read(SAMPLE).count(b"\n")
        read = min(size, packed.tell()) or 1
    return lines * size // read


def _free() -> int:
    """Return the available memory in bytes."""
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
