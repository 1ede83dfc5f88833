"""``python -m benchmarks.flink_recovery``: how long the job on Flink takes to be back, beside its aims.

On a real cluster with two TaskManagers, of which one is a spare, a ZooKeeper, and the settings of
``towpath flink start``, users wait in three sessions each. The job is restored from a savepoint of theirs;
then the TaskManager of the job and the JobManager are killed. These are seconds of this machine: what else
runs on it counts.
"""

from __future__ import annotations

import argparse
import logging
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.flink_load import (
    ROOT,
    fill,
    running_broker,
    running_cluster,
    submit,
    until,
)
from benchmarks.ratios import Figure, keep, show
from benchmarks.written import write
from towpath.flink.environment import BUILT
from towpath.flink.errors import Unreachable
from towpath.flink.local_cluster import JOB_MANAGER, LocalCluster
from transforms.sinks.outgoing import topics_of

USERS = 300_000
SECTION = "flink_recovery"
EVENTS, PREFIX = "events", "out-"
CHECKPOINT = "3s"


def runs(cluster: LocalCluster, job: str, since: float) -> Callable[[], bool]:
    """Return a function that tells if all functions of a job run that began after an instant."""

    def look() -> bool:
        try:
            vertices = cluster.rest.get(f"/jobs/{job}")["vertices"]
        except Unreachable:
            return False
        return all(
            one["status"] == "RUNNING" and one["start-time"] >= since * 1000 for one in vertices
        )

    return look


def seconds(name: str, value: float, aim: int | None = None) -> Figure:
    """Make a figure of a time; it has no bounds."""
    return Figure(name=name, value=value, unit="s", floor=f"aim: {aim} s" if aim else "")


def restored(cluster: LocalCluster, broker: str, users: int) -> tuple[str, list[Figure]]:
    """Park users, stop the job with a savepoint and restore it; return its id and what was measured."""
    file = cluster.folder / "parked.json"
    words = (broker, "recovery", EVENTS, PREFIX, str(file), "0", str(users), "0")
    first = submit(cluster, "flows", words)
    until(file.exists)
    savepoint = Path(cluster.rest.stop(first).removeprefix("file:"))
    begun = time.time()
    job = submit(cluster, "flows", words, "-s", str(savepoint))
    submitted = time.time()
    until(runs(cluster, job, begun))
    ended = time.time()
    name = f"{users:,} waiting users, from a savepoint to running"
    return job, [
        Figure(
            name="savepoint, for each user with 3 waiting sessions",
            value=size(savepoint) / users,
            unit="bytes",
        ),
        seconds(name, ended - begun, 60),
        seconds(f"{name}, of which after Flink's client", ended - submitted),
    ]


def killed(cluster: LocalCluster, job: str) -> Iterator[Figure]:
    """Kill the TaskManager of the job, then the JobManager, which is started again at once."""
    wait_for_checkpoint(cluster, job)
    (place,) = cluster.rest.places(job)
    begun = time.time()
    cluster.end(place, signal.SIGKILL)
    until(runs(cluster, job, begun))
    yield seconds(
        "TaskManager killed, with a spare one, until the job runs", time.time() - begun, 15
    )
    cluster.start(place)
    cluster.wait()
    wait_for_checkpoint(cluster, job)
    begun = time.time()
    cluster.end(JOB_MANAGER, signal.SIGKILL)
    cluster.start(JOB_MANAGER)
    until(runs(cluster, job, begun))
    yield seconds(
        "JobManager killed and started again, until the job runs", time.time() - begun, 60
    )


def wait_for_checkpoint(cluster: LocalCluster, job: str) -> None:
    """Wait for one more checkpoint."""
    before = cluster.rest.completed(job)
    until(lambda: cluster.rest.completed(job) > before)


def size(folder: Path) -> int:
    """Return the bytes of the files of a folder; links do not count."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink())


def sizes() -> Iterator[Figure]:
    """Measure what ``make flink-env`` makes."""
    built = ROOT / BUILT
    for name, folder in (
        ("packages of Flink's environment", "env"),
        ("other jars of the cluster", "lib"),
    ):
        yield Figure(name=name, value=size(built / folder) / 1e6, unit="MB")


def figures(users: int) -> Iterator[Figure]:
    """Measure everything."""
    yield from sizes()
    settings = {"execution.checkpointing.interval": CHECKPOINT}
    with running_broker() as broker, running_cluster(2, settings, available=True) as cluster:
        broker.create(dict.fromkeys([EVENTS, *topics_of(PREFIX).values()], 1))
        fill(broker.address, EVENTS, users, 0, 0, 1)
        job, found = restored(cluster, broker.address, users)
        yield from found
        yield from killed(cluster, job)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.flink_recovery", description=__doc__
    )
    parser.add_argument("--quick", action="store_true", help="few users; nothing is written")
    parser.add_argument("--write", type=Path, help="file to write the figures to")
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    found = list[Figure]()
    code = show(keep(found, figures(USERS // 100 if asked.quick else USERS)))
    if asked.write and not asked.quick:
        write(asked.write, {SECTION: found})
    return code


if __name__ == "__main__":
    raise SystemExit(main())
