"""``python -m benchmarks.tables``: the tables of one worker beside plain pyarrow, and their memory.

A worker gets the rows of a file as bytes, as the job's grouping emits them, and writes the file. The
floor is pyarrow, which writes the same rows from dicts that are ready. Each run has a process of its
own, which makes the rows of one file at a time, so its memory is what a worker needs beside the
runner: it grows with the rows of a file, not with the rows of the table.
"""

from __future__ import annotations

import argparse
import logging
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.utils.sharded_key import ShardedKey

from benchmarks.core import START
from benchmarks.ratios import Figure, in_turns, ratio, show
from transforms.beam.write_tables import WriteRows
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import Transition
from transforms.flows.state.ids import hashed
from transforms.sinks.part_files import Part
from transforms.wire.arrow import arrow_schema
from transforms.wire.rows import to_row

KIND = "transition"
SPACE = "bench"
SIZES = (10_000, 50_000)
"""Rows of a file."""
ROWS = (200_000, 800_000)
NAMES = ("table", "plain")
ROUNDS = 3
WANTED = 10_000
"""Rows a second of one table that a worker must write."""


class Run(msgspec.Struct, frozen=True):
    """One run: seconds of processor time, and the peak memory in MB beyond that of the imports."""

    seconds: float
    mb: float


def row(number: int) -> Transition:
    """Make the row of a move; rows are not in the order of their times."""
    session, cause = hashed("session", str(number // 7)), hashed("cause", str(number // 3))
    return Transition(
        id=f"{session}-{number % 7}", user=f"user-{number * 7919 % 1_000_003:07}",
        at=START + number * 7919 % 86_400_000, flow=f"flow_{number % 40}", version=3,
        session=session, step=f"step_{number % 7}", what="reached", key="", visit=1, cause=cause,
        first_arrival=number % 3 == 0, sequence=START + number,
    )  # fmt: skip


def table(rows: list[bytes], out: str) -> int:
    """Write a file as the job does; return its bytes."""
    written = list(WriteRows(out).process((ShardedKey((SPACE, KIND), b""), rows)))
    (part,) = (msgspec.msgpack.decode(encoded, type=Part) for _, encoded in written)
    return part.bytes


def plain(rows: list[dict[str, object]], out: str) -> int:
    """Write the same file with pyarrow alone."""
    found = pa.Table.from_pylist(rows, arrow_schema(KIND))
    pq.write_table(found, f"{out}/plain.parquet", compression="zstd", store_schema=False)
    return int(found.num_rows)


def peak() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(contestant: str, count: int, size: int) -> Run:
    """Write rows in files of a size, in this process; making the rows does not count as time."""
    seconds = 0.0
    write: Callable[[list, str], int] = table if contestant == "table" else plain  # type: ignore[type-arg]
    make = outputs.encode if contestant == "table" else to_row
    with tempfile.TemporaryDirectory() as out:
        write([make(row(0))], out)  # everything is imported
        before = peak()
        for numbers in _files(count, size):
            rows = [make(row(number)) for number in numbers]
            begun = process_time()
            write(rows, out)
            seconds += process_time() - begun
            for path in Path(out).rglob("*.parquet"):
                path.unlink()
        return Run(seconds, peak() - before)


def _files(count: int, size: int) -> Iterator[range]:
    for start in range(0, count, size):
        yield range(start, min(start + size, count))


def apart(contestant: str, count: int, size: int) -> Run:
    """Run in a process of its own."""
    words = [sys.executable, *(["-P"] if sys.flags.safe_path else []), "-m", __spec__.name]
    done = subprocess.run(
        [*words, "--one", contestant, "--rows", str(count), "--size", str(size)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return msgspec.json.decode(done.stdout, type=Run)


def seconds(contestant: str, count: int, size: int) -> float:
    """Return the processor time of a run."""
    return apart(contestant, count, size).seconds


def figures(rows: tuple[int, int], rounds: int) -> Iterator[Figure]:
    """Compare the time with the floor, and the memory of few rows with that of many."""
    few, many = rows
    memory: dict[tuple[int, int], list[float]] = {}
    for size in SIZES:
        spent = in_turns({name: partial(seconds, name, few, size) for name in NAMES}, rounds)
        yield Figure(
            name=f"rows of a table in files of {size:,}",
            floor="pyarrow",
            value=ratio(spent, "table", "plain"),
        )
        speed = few / median(spent["table"])
        yield Figure(name=f"files of {size:,} rows", value=speed, unit="rows/s", least=WANTED)
        for count in rows:
            memory[size, count] = [apart("table", count, size).mb for _ in range(rounds)]
            yield Figure(
                name=f"files of {size:,} rows, memory of {count:,} rows",
                value=median(memory[size, count]),
                unit="MB",
            )
        grown = median(memory[size, many]) / median(memory[size, few])
        yield Figure(
            name=f"files of {size:,} rows, memory of {many // few} times the rows",
            floor="of the rows",
            value=grown,
            most=1.2,
        )


def main() -> int:
    """Measure and print; 1 if memory grows with the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, without bounds")
    parser.add_argument("--one", choices=NAMES, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    if asked.one:
        print(msgspec.json.encode(one(asked.one, asked.rows, asked.size)).decode())
        return 0
    few, many = (count // 10 if asked.quick else count for count in ROWS)
    found = figures((few, many), 1 if asked.quick else ROUNDS)
    return show(figure.unbounded() if asked.quick else figure for figure in found)


if __name__ == "__main__":
    raise SystemExit(main())
