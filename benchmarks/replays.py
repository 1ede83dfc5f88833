"""The replay as a user starts it, in a process of its own, over the sample with more and more users."""

from __future__ import annotations

import csv
import gzip
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

from benchmarks.ratios import Figure, Growth
from benchmarks.sample import COMPILED, MAP, ROOT, SAMPLE

FLOWS = [ROOT / "flow_defs" / f"{name}.yaml" for name in ("win_back", "second_purchase", "vip")]
ON_BEAM = ("--", "--runner=DirectRunner")
"""Beam's in-process runner: one process."""
SMALL = 300
"""Purchases of a quick run, in place of the sample."""


class Spent(NamedTuple):
    """Seconds of processor time and by the clock, and megabytes: of all processes together."""

    cpu: float
    clock: float
    memory: float


def multiplied(times: int, path: Path, most: int | None = None) -> int:
    """Write the sample with ``times`` as many users; return the number of purchases."""
    with gzip.open(SAMPLE, "rt", newline="") as file:
        header, *rows = list(csv.reader(file))
    rows = rows[:most]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for copy in range(times):
            writer.writerows([f"{user}-{copy}", *rest] for user, *rest in rows)
    return len(rows) * times


def replay(events: Path, *more: str, compiled: bool = True) -> Spent:
    """Replay one file."""
    # Without -P, this folder comes before what is compiled.
    safe = ["-P"] if compiled and sys.flags.safe_path else []
    with tempfile.TemporaryDirectory() as folder:
        begun = perf_counter()
        process = subprocess.Popen(
            [sys.executable, *safe, "-m", "towpath.cli.main", "replay", *map(str, FLOWS),
             "--events", str(events), "--map", str(MAP), "--until", "1998-07-01",
             "--out", str(Path(folder) / "out"), "--json", *more],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        peaks, ended = [0.0], threading.Event()
        watch = threading.Thread(target=_watch, args=(process.pid, peaks, ended))
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        took = perf_counter() - begun
        ended.set()
        watch.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the replay of {events.name} failed: exit code {process.returncode}")
    return Spent(used.ru_utime + used.ru_stime, took, max(peaks[0], used.ru_maxrss / 1024))


def _watch(session: int, peaks: list[float], ended: threading.Event) -> None:
    """Keep the most memory that the processes of a session share out; only Linux tells it."""
    while not ended.wait(0.2):
        found = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                    shares = (folder / "smaps_rollup").read_text().split("Pss:")[1]
                    found += int(shares.split()[0])
            except (OSError, IndexError):
                continue  # it has ended
        peaks[0] = max(peaks[0], found / 1024)


def figures(
    sizes: tuple[int, ...], rounds: int, most: int | None, lines: Growth
) -> Iterator[Figure]:
    """Replay each size, and one of them on Beam, in turns."""
    # By the clock, two replays compare only where nothing else wants the cores.
    quiet = os.getloadavg()[0] < 0.75 * (os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        files = {times: Path(folder) / f"{times}x.csv" for times in sizes}
        counts = {times: multiplied(times, path, most) for times, path in files.items()}
        start = Path(folder) / "start.csv"
        multiplied(1, start, 1)
        runs = {"start": partial(replay, start), "Beam": partial(replay, files[10], *ON_BEAM)}
        if COMPILED:
            runs["plain"] = partial(replay, files[10], *ON_BEAM, compiled=False)
        runs |= {str(times): partial(replay, path) for times, path in files.items() if times <= 10}
        spent: dict[str, list[Spent]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                spent[name].append(run())
        for times in (t for t in sizes if t > 10):  # takes long, so once
            spent[str(times)] = [replay(files[times])] * rounds
    pairs = list(zip(spent["Beam"], spent["10"], strict=True))
    name, floor = "replay of 10 times the sample {}, on Beam in one process", "on all cores"
    clock = median(beam.clock / here.clock for beam, here in pairs)
    least = 1.8 if quiet else None
    yield Figure(
        name=name.format("by the clock"), floor=floor, value=clock, least=least, headline=True
    )
    if COMPILED:
        both = zip(spent["plain"], spent["10"], strict=True)
        yield Figure(
            name=name.format("by the clock") + ", core not compiled",
            floor=f"{floor}, compiled",
            value=median(plain.clock / here.clock for plain, here in both),
            least=3 if quiet else None,
            headline=True,
        )
    cpu = median(beam.cpu / here.cpu for beam, here in pairs)
    yield Figure(name=name.format("in processor time"), floor=floor, value=cpu, least=0.7)
    for how, took in (("by the clock", 1), ("per second of processor time", 0)):
        fast = counts[10] / median(run[took] for run in spent["10"])
        yield Figure(
            name=f"replay of 10 times the sample {how}",
            value=fast,
            unit="events/s",
            headline=took == 1,
        )
    points = lines["users, in a replay"] = [(1, 1.0)]
    for times in sizes[1:]:
        turns = list(zip(spent["start"], spent["1"], spent[str(times)], strict=True))
        costs = [
            ((more.cpu - start.cpu) / counts[times]) / ((one.cpu - start.cpu) / counts[1])
            for start, one, more in turns
        ]
        points.append((times, median(costs)))
        name, floor = f"replay of {times} times the sample", "of the sample"
        cost = f"{name}, processor time per event without the start"
        yield Figure(name=cost, floor=floor, value=median(costs), most=1.2, headline=True)
        memory = f"{name}, memory of all processes"
        grown = median(more.memory / one.memory for _, one, more in turns)
        yield Figure(name=memory, floor=floor, value=grown, most=4)
        peak = median(more.memory for *_, more in turns)
        yield Figure(name=memory, value=peak, unit="MB")
