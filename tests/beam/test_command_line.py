"""The command line of the streaming job: early error messages, and no secrets in what is submitted."""

from __future__ import annotations

import pickle
from itertools import chain
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.stream import run
from pipelines.stream_options import StreamOptions, control_of, problems_of, stream_options
from tests.kit.followed import refreshed
from tests.kit.redis_server import RedisServer
from tests.kit.reminders import LINES, SPACE
from towpath.control.store import store_of
from transforms.beam.write_outputs import WriteStates
from transforms.flows.protocol import control_records
from transforms.hosting.catalogs import FollowedLogs
from transforms.sinks.redis import open_states
from transforms.wire.secrets import address_of

GOOD = {
    "--runner": "DataflowRunner",
    "--subscription": "projects/p/subscriptions/s",
    "--control": "shop=/logs/control.jsonl",
    "--states": "redis://h:6379/0",
}


def command_line(**changed: str | None) -> list[str]:
    """Return a complete command line with some options changed, added or removed."""
    options = GOOD | {f"--{name}": word for name, word in changed.items()}
    return list(chain(*((name, word) for name, word in options.items() if word is not None)))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "--subscription is required"),
        ([], "--control is required"),
        ([], "--runner is required"),
        (
            command_line(runner="PrismRunner"),
            "--runner: PrismRunner keeps users' states in memory, and messages are acknowledged",
        ),
        (command_line(states=None), "one of --topics, --states and --tables is required"),
        (command_line(subscription="s"), '--subscription: "s" is not projects/P/subscriptions/S'),
        (
            command_line(subscription="projects/p/subscriptions/s=erase,comand"),
            '--subscription: "comand" is not a kind that needs "=": did you mean "command"?',
        ),
        (
            command_line(subscription="projects/p/subscriptions/s="),
            '--subscription: "" is not a kind that needs "=": it is one of command, erase, export,',
        ),
        (
            [*command_line(), "--subscription", "projects/p/subscriptions/s=erase"],
            "--subscription: projects/p/subscriptions/s is given 2 times",
        ),
        (
            command_line(topics="p", topic_prefix="eu-"),
            "--subscription: no subscription may bring handover, by which the job merges users",
        ),
        (command_line(control="http://h/x"), '--control: cannot read a control log from "http://"'),
        (command_line(control="shop="), '--control: "shop=" is not [SPACE=]ADDRESS'),
        (command_line(control="redis://h:p"), "--control: the address is not a valid URL"),
        (
            command_line(control="env:"),
            "--control: env: must be followed by the name of a variable",
        ),
        ([*command_line(), "--control", "shop=/b"], "--control: space shop has two control logs"),
        (command_line(states="http://h/x"), '--states: cannot connect to Redis at "http://"'),
        (
            command_line(states="redis://:secret@h:secret"),
            "--states: the address is not a valid URL",
        ),
        (
            command_line(states="env:a b"),
            "--states: env: must be followed by the name of a variable",
        ),
        (command_line(tables="ftp://h/x"), '--tables: cannot write tables to "ftp://"'),
        (command_line(tables="gs:/bucket/x"), '--tables: "gs:/bucket/x" has only one slash'),
        (command_line(tables=""), "--tables: the address is empty"),
        (command_line(readers="0"), '--readers: "0" is not an integer of at least 1'),
        (command_line(file_rows="0"), '--file_rows: "0" is not an integer of at least 1'),
        (command_line(file_rows="ten"), '--file_rows: "ten" is not an integer of at least 1'),
        (command_line(lateness="-5"), '--lateness: "-5" is not an integer of at least 0'),
        (command_line(idle="soon"), '--idle: "soon" is neither a number of seconds nor "never"'),
        (command_line(encoding="xml"), '--encoding: "xml" is not one of json, avro'),
        (command_line(idel="never"), "--idel is not an option; did you mean --idle?"),
        (
            [*command_line(), "--topic-prefix=eu-"],
            "--topic-prefix is not an option; did you mean --topic_pre",
        ),
        (command_line(space="shoe"), "--space: shoe has no control log; there are logs for shop"),
        ([*command_line(), "--file_rows"], "argument --file_rows: expected one argument"),
    ],
)
def test_invalid_options_are_reported(
    said: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Invalid options are reported on stderr with exit code 2, before anything is built."""
    assert run(said) == 2
    out, err = capsys.readouterr()
    assert any(line.startswith(told) for line in err.splitlines())
    assert out == ""
    assert "Traceback" not in err
    assert "secret" not in err


def test_all_errors_are_reported_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """All errors are reported together, one per line."""
    assert run(command_line(readers="0", file_wait="x", idel="1", control="http://h/x")) == 2
    starts = [line.partition(" ")[0] for line in capsys.readouterr().err.splitlines()]
    assert starts == ["--idel", "--readers:", "--control:", "--file_wait:"]


@pytest.mark.parametrize(
    "said",
    [
        command_line(),
        command_line(control="env:LOG", states="env:STATES"),
        command_line(subscription="projects/p/subscriptions/s=handover,erase", topics="p"),
        [*command_line(topics="p"), "--subscription", "projects/p/subscriptions/h=handover"],
        command_line(control="a=gs://b/log", tables="gs://b/tables", readers="3", idle="never"),
        command_line(tables="build/tables", space="shop", lateness="0"),
        command_line(numWorkers="3", flink_master="h:1"),
    ],
)
def test_valid_options_are_accepted(said: list[str]) -> None:
    """A valid command line is accepted, together with options of other runners."""
    assert problems_of(said) == []


def test_no_option_of_beam_is_mistaken_for_a_misspelt_one() -> None:
    """No option of Beam is so similar to one of ours that it is refused as misspelt."""
    ours = stream_options([]).view_as(StreamOptions).get_all_options(current_only=True)
    read = PipelineOptions([]).view_as(StandardOptions).get_all_options(current_only=True)
    beams = set(PipelineOptions([]).get_all_options()) - set(ours) - set(read)
    assert len(beams) > 100
    assert [name for name in sorted(beams) if problems_of([*command_line(), f"--{name}=1"])] == []


def test_help_explains_how_to_hide_a_password(capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` lists our options, explains ``env:NAME`` and exits with 0."""
    with pytest.raises(SystemExit) as ended:
        run(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.count("env:NAME") == 2


def test_an_address_can_come_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """``env:NAME`` is replaced by the variable's value at the worker; a missing variable is
    reported.
    """
    with pytest.raises(ValueError, match=r'"env:TOWPATH_TRY".*is not set'):
        address_of("env:TOWPATH_TRY")
    monkeypatch.setenv("TOWPATH_TRY", "redis://:secret@h/0")
    assert address_of("env:TOWPATH_TRY") == "redis://:secret@h/0"
    assert address_of("redis://h/0") == "redis://h/0"


def test_submitted_jobs_contain_names_of_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses of control log and states come from variables; the submitted job has only their
    names.
    """
    log = [control_records.decode_line(line) for line in LINES]
    with RedisServer("valkey") as server:
        monkeypatch.setenv("TOWPATH_TRY", f"{server.url}?space={SPACE}")
        monkeypatch.setenv("TOWPATH_STATES", server.url)
        store = store_of("env:TOWPATH_TRY")
        store.append(store.read(), log)
        logs = FollowedLogs(control_of(["env:TOWPATH_TRY"], SPACE))
        sent = pickle.dumps((logs, WriteStates("env:TOWPATH_STATES")))

        assert len(refreshed(logs, SPACE).catalog.epochs) > 1
        assert open_states("env:TOWPATH_STATES").get_state(SPACE, "kim") is None
        assert str(server.port).encode() not in sent


def test_a_control_log_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    """While the control log of a space cannot be read, the space's status says why."""
    path = tmp_path / "control.jsonl"
    logs = FollowedLogs({SPACE: str(path)}, every=3600)

    assert logs.of(SPACE).trouble == f"{path}: there is no control log"
    path.write_bytes(b"\n".join(LINES))
    assert refreshed(logs, SPACE).trouble is None
    assert logs.of(SPACE).trouble is None
