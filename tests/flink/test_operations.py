"""The commands of ``towpath flink``, on a real cluster, while users wait."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import pytest
from confluent_kafka import Producer

from tests.kit import flink_run
from tests.kit.flink_cluster import ENVIRONMENT, PATIENT, StartedCluster
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.relabel import relabelled
from tests.kit.stream_purchases import SPACE, control_lines
from tests.kit.stream_sample import Sample, chosen_users
from tests.kit.timeouts import PATIENCE
from towpath.cli.flink.replace import way_back
from towpath.cli.main import main
from towpath.flink.local_cluster import JOB_MANAGER, LocalCluster, free_port
from towpath.flink.operations import NotReplaced, Replacement, replace_job
from towpath.flink.target import open_target
from transforms.hosting.job_metrics import METRICS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]

REPORTER = {
    "metrics.reporters": "prom",
    "metrics.reporter.prom.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
}
Out = pytest.CaptureFixture[str]
USERS = 60


def other_environment(folder: Path) -> Path:
    """Make an environment with other code: what is published has one more header."""
    shutil.copytree(ENVIRONMENT.folder.absolute(), folder, copy_function=link, symlinks=True)
    (packages,) = (folder / "env" / "lib").glob("python3*/site-packages")
    code = packages / "transforms" / "flink" / "kafka_tables.py"
    text = code.read_text()
    code.unlink()
    assert text.count("SELECT f1[n], f2[n], body, MAP[") == 1
    code.write_text(text.replace(", MAP[", ", MAP['code', CAST('new' AS BYTES),"))
    return folder


def link(source: str, target: str) -> None:
    """Make a file of another environment a link to the original."""
    Path(target).symlink_to(source)


def beat(broker: KafkaBroker, at: int) -> None:
    """Move the time of the job to an instant."""
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0})
    flink_run.beat(producer, 2, at)
    assert producer.flush(PATIENCE) == 0


def codes(broker: KafkaBroker) -> set[str | None]:
    """Return by which code messages were published."""
    return {headers.get("code") for headers, _, _ in flink_run.committed(broker, "message")}


def metrics(ports: Iterable[int]) -> set[str]:
    """Return the names that Prometheus gives to the metrics of the job, as the processes report them."""
    found = set()
    for port in ports:
        try:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
                lines = answer.read().decode().splitlines()
        except (OSError, HTTPException):  # nobody, or another program
            continue
        names = {line.partition("{")[0] for line in lines if "_towpath_" in line and line[0] != "#"}
        found |= {relabelled({"__name__": name})["__name__"] for name in names}
    return found


def crash(cluster: LocalCluster, name: str) -> None:
    """Kill a process; the folder remembers it."""
    os.killpg(cluster.record().processes[name], signal.SIGKILL)
    while cluster.alive(name):
        time.sleep(0.05)


def end_job_manager_during_upgrade(folder: Path, job: str) -> None:
    """Replace a job while the JobManager ends: the old job is not submitted again, since the new one may
    run, and what was submitted last is remembered.
    """
    target = open_target(folder, None, None)
    old = target.remembered()["towpath"]
    new = msgspec.structs.replace(old, settings=("pipeline.auto-watermark-interval=150 ms",))
    said = list[str]()

    def say(text: str) -> None:
        said.append(text)
        if text.startswith("submitted again"):
            assert target.local
            crash(target.local, JOB_MANAGER)

    with pytest.raises(NotReplaced) as error:
        replace_job(target, job, Replacement(name="towpath", new=new, old=old), say)
    assert error.value.unknown
    assert "It is not known whether the new job runs" in way_back("towpath", error.value)
    assert said[-1].startswith("submitted again")
    assert target.remembered()["towpath"] == new


class Session:
    """Types commands; all of them are about one cluster."""

    def __init__(self, folder: Path, out: Out) -> None:
        self.folder = folder
        self._out = out

    def run(self, *words: str, code: int = 0) -> tuple[str, str]:
        """Run ``towpath flink``; return what it printed."""
        command, *rest = words
        self._out.readouterr()
        found = main(["flink", command, "--folder", str(self.folder), *rest])
        printed = self._out.readouterr()
        assert found == code, printed.out + printed.err
        return printed.out, printed.err

    def json(self, *words: str) -> dict[str, object]:
        """Run a command with ``--json``."""
        command, *rest = words
        return json.loads(self.run(command, "--json", *rest)[0])

    def status_at(self, watermark: int) -> dict[str, Any]:
        """Return the status of the only job once its watermark is this: Flink reads metrics now and then."""
        until = time.monotonic() + PATIENCE
        while True:
            (status,) = self.json("status")["jobs"]
            if status["watermark"] == watermark:
                return status
            assert time.monotonic() < until, status
            time.sleep(0.1)


def test_a_job_is_operated_while_users_wait(
    broker: KafkaBroker, tmp_path: Path, capsys: Out
) -> None:
    """A job is submitted, upgraded to other code and rescaled by commands, each from a savepoint and
    without a drain, while users wait: its outputs are those of the core, each once (R31). It does not
    matter that it was submitted by the address of the cluster. An upgrade that does not work is taken
    back. A second job of the same name, a parallelism without slots, code that does not exist, and the same
    job anew without its savepoint are refused. A cluster that starts again has its code and settings of
    before. An upgrade whose JobManager ends starts no second job.
    """
    people = Sample([event for group in chosen_users(USERS) for event in group])
    third = len(people.records) // 3
    log = tmp_path / "control.jsonl"
    log.write_bytes(b"".join(line + b"\n" for line in control_lines()))
    other = other_environment(tmp_path / "other")
    session = Session(tmp_path / "cluster", capsys)
    ports = [free_port() for _ in range(20)]
    reporter = REPORTER | {"metrics.reporter.prom.port": ",".join(map(str, ports))}
    given = (PATIENT | reporter).items()
    settings = [word for name, value in given for word in ("--set", f"{name}={value}")]
    cluster = StartedCluster(session.folder)

    assert "has no cluster: start one" in session.run("status", code=1)[1]
    flink_run.create_topics(broker)
    options = ["--", "--brokers", broker.address, "--events", f"{flink_run.EVENTS}=handover"]
    options += ["--control", f"{SPACE}={log}", "--space", SPACE]
    try:
        port = str(free_port())
        started = session.json("start", "--port", port, "--task-managers", "1", *settings)
        assert started["started"] == ["jobmanager", "taskmanager-0"]
        assert "no job runs" in session.run("status", code=1)[1]
        assert (
            "unrecognized arguments: --evnts"
            in session.run("submit", *options, "--evnts", "x", code=2)[1]
        )

        where = ["--rest", started["address"], "--set", "execution.checkpointing.interval=2s"]
        job = session.json("submit", *where, *options)["id"]
        assert "is running already" in session.run("submit", *options, code=1)[1]
        flink_run.produce(broker, people.records[:third])
        flink_run.wait(cluster, broker, str(job))
        status = session.status_at(
            people.records[third - 1].receipt // flink_run.DAY * flink_run.DAY
        )
        assert (status["job"], status["state"], status["restarts"]) == ("towpath", "RUNNING", 0)
        assert status["checkpoints"]["complete"] > 0
        assert "checkpoints  last" in session.run("status")[0]
        assert Path(session.run("savepoint")[0].strip().removeprefix("file:")).is_dir()

        missing = session.run("upgrade", *where, "--env", str(tmp_path / "missing"), code=1)[1]
        assert "has no environment of Flink" in missing
        assert "stopping" not in missing

        bad = session.run(
            "upgrade", *where, *options, "--property", "security.protocol=NONE", code=1
        )[1]
        assert "The old job runs again" in bad
        assert "security.protocol" in bad
        job = session.json("upgrade", "--env", str(other), *options)["id"]
        flink_run.produce(broker, people.records[third : 2 * third])
        flink_run.wait(cluster, broker, str(job))

        assert "needs 2 slots, and 1 of 1 are free" in session.run("rescale", "2", code=1)[1]
        more = session.json("start", "--task-managers", "2")
        assert more["started"] == ["taskmanager-1"]
        crash(cluster.local, "taskmanager-1")
        assert "taskmanager-1 has ended: start it" in session.run("upgrade", code=1)[1]
        assert session.json("start")["started"] == ["taskmanager-1"]
        job = session.json("rescale", "2")["id"]
        assert len(cluster.places(str(job))) == 2
        flink_run.produce(broker, people.records[2 * third :])
        beat(broker, people.end)
        flink_run.wait(cluster, broker, str(job))

        while "towpath_signals" not in (names := metrics(ports)):
            beat(broker, people.end)
        assert names <= {f"towpath_{metric.name}" for metric in METRICS}

        (stopped,) = session.json("stop")["stopped"]
        assert Path(stopped["savepoint"].removeprefix("file:")).is_dir()
        refused = session.run("submit", *options, code=1)[1]
        assert "was submitted before" in refused
        assert Path(stopped["savepoint"]).name in refused
        assert flink_run.by_the_core(people, people.records, people.users) == flink_run.written(
            broker
        )
        assert codes(broker) == {None, "new"}
        assert session.json("stop", "--cluster") == {"stopped": [], "cluster": True}
        assert cluster.local.names() == []
        assert "no JobManager answers" in session.run("status", code=1)[1]

        again = session.json("start")
        assert again["address"] == started["address"]
        assert again["started"] == ["jobmanager", "taskmanager-0", "taskmanager-1"]
        assert 'metrics.reporters: "prom"' in (session.folder / "conf/config.yaml").read_text()
        job = session.json("submit", "--job", "towpath", "--from", stopped["savepoint"])["id"]
        end_job_manager_during_upgrade(session.folder, str(job))
    finally:
        if cluster.local.exists:
            cluster.local.end_all(signal.SIGKILL)
