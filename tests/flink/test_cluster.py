"""The processes of a local cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.kit import flink_run
from tests.kit.flink_cluster import ENVIRONMENT, FlinkCluster
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.random_users import RandomUsers
from tests.kit.timeouts import PATIENCE
from towpath.cli.main import main
from towpath.flink.local_cluster import LocalCluster, Record

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]

LISTENS = "0A"
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def addresses(pid: int) -> set[str]:
    """Return the addresses at which a process listens, in the notation of the kernel."""
    sockets = {
        link.readlink().name
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if link.is_symlink() and "socket" in str(link.readlink())
    }
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return {
        line[1].partition(":")[0]
        for line in lines
        if line[3] == LISTENS and f"socket:[{line[9]}]" in sockets
    }


def test_a_jobmanager_that_was_killed_takes_up_its_jobs(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    """With a ZooKeeper, ``towpath flink start`` brings back a JobManager that was killed, with its jobs.
    All processes listen on the loopback interface only.
    """
    people = RandomUsers(8)
    with FlinkCluster(available=True) as cluster:
        flink_run.create_topics(broker)
        job = flink_run.submit(cluster, broker, people, tmp_path)
        flink_run.produce(broker, people.records)
        # A stalled ZooKeeper makes the job restart.
        flink_run.wait(cluster, broker, job, faults=True)
        pids = cluster.local.record().processes

        assert {name: addresses(pid) - LOOPBACK for name, pid in pids.items()} == {
            name: set() for name in ("zookeeper", "jobmanager", "taskmanager-0")
        }
        assert addresses(pids["jobmanager"])

        cluster.kill("jobmanager")
        assert main(["flink", "start", "--folder", str(cluster.folder)]) == 0
        flink_run.finish(broker, people.end)
        flink_run.wait(cluster, broker, job, faults=True)

    wanted = flink_run.by_the_core(people, people.records, people.users)
    assert flink_run.differing(wanted, flink_run.written(broker)) == set()


def test_processes_are_found_by_their_folder(java: Path, tmp_path: Path) -> None:
    """A cluster outlives the process that started it: another one finds its processes by the folder, even
    before they are Java, and ends them. An id of a process that is not of this cluster is left alone.
    """
    started = LocalCluster(tmp_path, ENVIRONMENT)
    started.configure()
    started.start("jobmanager")
    child = started._children["jobmanager"]
    other = subprocess.Popen(["sleep", "3600"])
    try:
        found = LocalCluster(tmp_path, ENVIRONMENT)
        assert found.alive("jobmanager")
        found._write(
            Record(found.rest.address, {"jobmanager": child.pid, "taskmanager-0": other.pid})
        )
        assert not found.alive("taskmanager-0")
        found.end("taskmanager-0")
        assert other.poll() is None
        found.end("jobmanager")

        assert found.names() == []
        assert child.wait(PATIENCE) != 0
    finally:
        other.kill()
        other.wait()
        child.kill()
        child.wait()


def test_a_process_that_becomes_another_program_is_alive(tmp_path: Path) -> None:
    """Flink's scripts exec Java: a process in the middle of exec is alive."""
    script = tmp_path / "again.sh"
    script.write_text(f"#!/bin/sh\nexec {script}\n")
    script.chmod(0o700)
    cluster = LocalCluster(tmp_path, ENVIRONMENT)
    with subprocess.Popen([script]) as child:
        cluster._write(Record("http://127.0.0.1:1", {"jobmanager": child.pid}))
        try:
            while not cluster.alive("jobmanager"):
                assert child.poll() is None
            looks = [cluster.alive("jobmanager") for _ in range(5_000)]
        finally:
            child.kill()

    assert all(looks)
    assert not cluster.alive("jobmanager")
