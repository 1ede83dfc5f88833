"""The replay as a user starts it, over the sample with more and more users."""

from __future__ import annotations

import csv
import gzip
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.core import Figure

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "towpath" / "sample_data" / "cdnow_purchases.csv.gz"
MAP = ROOT / "towpath" / "sample_data" / "cdnow.map.yaml"
FLOWS = [ROOT / "flow_defs" / f"{name}.yaml" for name in ("win_back", "second_purchase", "vip")]
BOUND = 15_000
LEAST = 10
"""So many times the sample, or more, keep the bound; less is mostly the start."""


def multiplied(times: int, path: Path) -> int:
    """Write the sample with ``times`` as many users; return the number of purchases."""
    with gzip.open(SAMPLE, "rt", newline="") as file:
        header, *rows = list(csv.reader(file))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for copy in range(times):
            writer.writerows([f"{user}-{copy}", *rest] for user, *rest in rows)
    return len(rows) * times


def figures(sizes: tuple[int, ...], shards: int | None = None) -> Iterator[Figure]:
    """Replay each size in a process of its own; a core is a second of processor time."""
    for times in sizes:
        with tempfile.TemporaryDirectory() as folder:
            events = Path(folder) / "events.csv"
            count = multiplied(times, events)
            before, begun = _used(), perf_counter()
            _replay(events, Path(folder) / "out", shards)
            took, used = perf_counter() - begun, _used() - before
            how = f", {shards} shards" if shards else ""
            bound = BOUND if times >= LEAST else None
            yield Figure(f"replay {times}x{how}, a core", count / used, "events/s", bound, True)
            yield Figure(f"replay {times}x{how}, by the clock", count / took, "events/s")
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            yield Figure(f"replay {times}x{how}, memory at most", peak, "MB")


def _used() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _replay(events: Path, out: Path, shards: int | None) -> None:
    more = ["--shards", str(shards)] if shards else []
    safe = ["-P"] if sys.flags.safe_path else []  # else this folder comes before what is compiled
    subprocess.run(
        [sys.executable, *safe, "-m", "towpath.cli.main", "replay", *map(str, FLOWS),
         "--events", str(events), "--map", str(MAP), "--until", "1998-07-01",
         "--out", str(out), "--json", *more],
        check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
