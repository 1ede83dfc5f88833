"""What ``towpath flink`` says without a cluster."""

from __future__ import annotations

import argparse
import socket
import stat
import threading
from pathlib import Path

import msgspec
import pytest

from tests.kit.flink_cluster import ENVIRONMENT
from towpath.cli.flink.cluster import ENVIRONMENT as USUAL
from towpath.cli.flink.cluster import size, span, submission_of
from towpath.cli.flink.status import short
from towpath.cli.main import main
from towpath.flink.errors import FlinkError, reason_of
from towpath.flink.local_cluster import RECORD, LocalCluster, Record
from towpath.flink.rest import Job, Rest
from towpath.flink.target import Submission, Target, one_of, open_target

TRACE = """\
java.util.concurrent.CompletionException: org.apache.flink.runtime.CheckpointException: Failed
\tat java.base/java.util.concurrent.CompletableFuture.encode(Unknown Source)
Caused by: org.apache.flink.runtime.checkpoint.CheckpointException: Some tasks do not run
\tat org.apache.flink.runtime.scheduler.Scheduler.stop(Scheduler.java:1)
\t... 3 more
"""
OPTIONS = ["--", "--brokers", "b:1", "--events", "events=handover", "--control", "/log.jsonl"]
Out = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        (TRACE, "Some tasks do not run"),
        ("org.apache.flink.util.FlinkException: no\n\tat a.B.c(B.java:1)\n", "no"),
        ("java.lang.IllegalStateException\n\tat a.B.c(B.java:1)\n", "IllegalStateException"),
        ("org.apache.kafka.common.config.ConfigException", "ConfigException"),
        ("Job not found", "Job not found"),
        ("", "no reason is given"),
    ],
)
def test_a_stack_trace_has_a_reason(trace: str, reason: str) -> None:
    """An error of Java is the message of its innermost exception, without the trace."""
    assert reason_of(trace) == reason


@pytest.mark.parametrize(
    ("ms", "words"),
    [(0, "0 ms"), (999, "999 ms"), (61_000, "1 min 1 s"), (90_061_000, "1 d 1 h"), (-5, "-5 ms")],
)
def test_durations_have_two_units(ms: int, words: str) -> None:
    """A duration is in words, with its two largest units."""
    assert span(ms) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            (
                "Source: KafkaSource-default_catalog.default_database.source_1 -> Calc[2] -> "
                "TableToDataStream -> Decode and key, _stream_key_by_map_operator"
            ),
            "Source: source_1, Decode and key",
        ),
        (
            (
                "Run flows, Publish -> DataStreamToTable -> Calc[5] -> ConstraintEnforcer[6] -> "
                "outputs[6]: Writer -> outputs[6]: Committer"
            ),
            "Run flows, Publish",
        ),
        ("Calc[1]", "Calc[1]"),
    ],
)
def test_operators_have_the_names_of_their_functions(name: str, words: str) -> None:
    """The name of an operator leaves out the functions that Flink's tables add."""
    assert short(name) == words


@pytest.mark.parametrize(
    ("count", "words"), [(12, "12 bytes"), (45_120, "45.1 kB"), (3_000_000_000, "3 GB")]
)
def test_sizes_are_short(count: int, words: str) -> None:
    """A number of bytes has at most three digits and a unit."""
    assert size(count) == words


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["status"], 1, "has no cluster: start one with `towpath flink start`"),
        (["status", "--", "--brokers"], 2, "takes no options after --"),
        (["status", "--rest", "http://127.0.0.1:1"], 1, "no JobManager answers"),
        (["status", "--rest", "http://host:port"], 1, "is not an address such as"),
        (["submit", "--rest", "http://127.0.0.1:1"], 2, "how the job was submitted is not known"),
        (["submit", "--job", "shop", "--rest", "http://127.0.0.1:1"], 2, "was not submitted before"),
        (["submit", "--from", "gone", "--rest", "http://127.0.0.1:1", *OPTIONS], 2, "gone does not exist"),
        (["submit", "--", "--brokers", "b:1"], 2, "the following arguments are required"),
        (["start", "--set", "secret"], 2, "a setting is NAME=VALUE"),
        (["start", "--env", "nowhere"], 1, "run `make flink-env`"),
        (["rescale", "0"], 2, "is not a number of at least 1"),
        (["stop", "--cluster", "--rest", "http://127.0.0.1:1"], 2, "ends the whole cluster"),
    ],
)  # fmt: skip
def test_mistakes_are_named(
    words: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Out,
) -> None:
    """A wrong command says what is wrong and what to do, without a traceback."""
    monkeypatch.chdir(tmp_path)

    assert main(["flink", *words]) == code
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed


def test_a_used_port_is_refused(tmp_path: Path, capsys: Out) -> None:
    """A port of another program is refused before anything is started."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])

        assert main(["flink", "start", "--port", port, "--folder", str(tmp_path)]) == 1
    assert f"port {port} is used by another program" in capsys.readouterr().err
    assert not (tmp_path / "cluster.json").exists()


def test_another_server_is_no_job_manager(tmp_path: Path, capsys: Out) -> None:
    """An address of a server that does not speak HTTP is not taken for a JobManager."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        answers = threading.Thread(target=greet, args=(other,))
        answers.start()
        address = f"http://127.0.0.1:{other.getsockname()[1]}"

        assert main(["flink", "status", "--folder", str(tmp_path), "--rest", address]) == 1
        answers.join()
    assert f"no JobManager answers at {address}" in capsys.readouterr().err


def greet(server: socket.socket) -> None:
    """Answer one connection as a server of another kind does."""
    connection, _ = server.accept()
    with connection:
        connection.recv(1)
        connection.sendall(b"SSH-2.0-other\r\n")


def test_a_job_has_the_code_of_the_cluster(tmp_path: Path) -> None:
    """Without --env a job is submitted with the code that TaskManagers have loaded, then with that of its last
    submission; the path does not depend on the folder in which the command is typed.
    """
    record = Record("http://127.0.0.1:1", environment="/opt/flink")
    (tmp_path / RECORD).write_bytes(msgspec.json.encode(record))
    given = argparse.Namespace(rest=["--x"], env=None, parallelism=None, set=[])
    here, elsewhere = (
        open_target(tmp_path, address, None) for address in (None, "http://127.0.0.1:1")
    )
    known = Submission(words=(), parallelism=1, environment="/opt/new")

    assert submission_of(given, here, None).environment == "/opt/flink"
    assert submission_of(given, here, known).environment == "/opt/new"
    assert submission_of(given, elsewhere, None).environment == str(Path(USUAL).absolute())
    given.env = "other"
    assert submission_of(given, here, known).environment == str(Path("other").absolute())


def test_only_the_user_reads_what_was_submitted(tmp_path: Path) -> None:
    """How a job was submitted is remembered by its name, in files that others cannot read."""
    target = Target(Rest("http://127.0.0.1:1"), tmp_path, None)
    submission = Submission(words=("--property", "sasl.jaas.config=secret"), parallelism=3)
    target.remember("shop", submission)

    assert target.remembered() == {"shop": submission}
    assert stat.S_IMODE((tmp_path / "jobs" / "shop.json").stat().st_mode) == 0o600


def test_a_remote_cluster_has_memories_of_its_own(tmp_path: Path) -> None:
    """What was submitted to a cluster elsewhere is kept apart from the local one."""
    near = LocalCluster(tmp_path, ENVIRONMENT)
    near._write(Record("http://127.0.0.1:1"))
    there = open_target(tmp_path, "http://flink.example:8081", ENVIRONMENT)
    there.remember("shop", Submission(words=(), parallelism=1))

    assert open_target(tmp_path, None, ENVIRONMENT).remembered() == {}
    assert there.rest.address == "http://flink.example:8081"


def test_one_of_several_jobs_must_be_named() -> None:
    """Without a name the only job is meant; of several one must be chosen, and it must exist."""
    rest = Rest("http://127.0.0.1:1")
    shop, mail = (Job(name, name, "RUNNING", 0) for name in ("shop", "mail"))

    assert one_of([shop], None, rest) is shop
    assert one_of([shop, mail], "mail", rest) is mail
    with pytest.raises(
        FlinkError, match=r"several jobs run at .*: mail, shop; choose one with --job"
    ):
        one_of([shop, mail], None, rest)
    with pytest.raises(FlinkError, match=r'no job "x" runs at .*; there is shop'):
        one_of([shop], "x", rest)
    with pytest.raises(FlinkError, match="no job runs at"):
        one_of([], None, rest)
