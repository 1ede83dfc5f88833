"""The control log grows while a streaming job runs; signals that it does not cover yet wait for it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from pipelines.stream import RunStream
from tests.kit.followed import refreshed
from tests.kit.reminders import HOUR, LINES, SPACE, TEN, track
from tests.kit.streams import At, Step, message, run
from transforms.flows.protocol import control_records, outputs
from transforms.hosting.catalogs import FollowedLogs
from transforms.hosting.settings import Settings
from transforms.sources.pubsub.beam_source import Received


def append_to_log(path: Path, until: int, *records: control_records.ControlRecord) -> None:
    """Append records like the controller: first the records, then the instant up to which it is
    complete.
    """
    with path.open("ab") as file:
        for record in records:
            file.write(control_records.encode_line(record) + b"\n")
    path.with_name(path.name + ".complete").write_text(str(until))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log with the flow, complete until ten o'clock."""
    path = tmp_path / "control.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in LINES))
    append_to_log(path, TEN)
    return path


def process_carts(log: Path, settings: Settings) -> list[outputs.AnyOutput]:
    """Process two carts, ten minutes before and an hour after the end of the known log."""
    steps = [
        TEN - HOUR,
        [message(track("a", "kim", "Cart", TEN - HOUR), TEN - HOUR, "a")],
        TEN + HOUR,
        [message(track("b", "lee", "Cart", TEN + HOUR), TEN + HOUR, "b")],
    ]
    logs = FollowedLogs({SPACE: str(log)}, every=0.05)
    collected = run(steps, Received, lambda given: given | RunStream(logs, SPACE, settings))
    return [outputs.decode(encoded) for _, encoded in collected.outputs]


def test_with_loose_control_a_worker_does_not_wait(log: Path) -> None:
    """With loose control a worker continues with the log that it has."""
    outs = process_carts(log, Settings(until=TEN + 8 * HOUR, clock=At(), loose=True))

    entered = [o.user for o in outs if isinstance(o, outputs.Transition) and o.what == "entered"]
    assert sorted(entered) == ["kim", "lee"]


def test_a_space_whose_log_is_behind_stops_no_other(log: Path, tmp_path: Path) -> None:
    """In one bundle with it, another space goes on; the signals and timers of the first are held,
    until its log is complete.
    """
    other = tmp_path / "other.jsonl"
    other.write_bytes(log.read_bytes())
    logs = FollowedLogs({SPACE: str(other), "late": str(log)}, every=3600)
    late = control_records.Stop(sequence=99, effective_at=TEN + 1, flow="remind")
    both = [
        message(
            track(f"c-{space}", "kim", "Cart", TEN + HOUR), TEN + HOUR, f"c-{space}", space=space
        )
        for space in ("late", SPACE)
    ]
    steps: list[Step] = [TEN, both, TEN + 4 * HOUR]
    later = message(track("n", "kim", "Cart", TEN + 5 * HOUR), TEN + 5 * HOUR, "n", space="late")

    def wire(given: Any) -> Any:
        return given | RunStream(logs, SPACE, Settings(until=TEN + 9 * HOUR, clock=At()))

    behind = run(steps, Received, wire).by_key()
    found = [outputs.decode(encoded) for encoded in behind[SPACE, "kim"]]
    assert [o.flow for o in found if isinstance(o, outputs.Message)] == ["remind"]
    assert ("late", "kim") not in behind

    def append_and_wire(given: Any) -> Any:
        return wire(given | beam.Map(append_before, "n", log, TEN + 9 * HOUR, late, logs))

    known = run([*steps, [later]], Received, append_and_wire).by_key()
    refused = [outputs.decode(encoded) for encoded in known["late", "kim"]]
    assert [(o.reason, o.at) for o in refused if isinstance(o, outputs.Rejection)] == [
        ("flow_not_running", TEN + HOUR),
        ("flow_not_running", TEN + 5 * HOUR),
    ]


def append_before(
    given: Received, ident: str, log: Path, until: int, record: Any, logs: Any
) -> Any:
    """Append a record when a message arrives, and have the worker read it."""
    if given[3] == ident:
        append_to_log(log, until, record)
        refreshed(logs, "late")
    return given


def test_pickled_catalogs_contain_only_addresses(log: Path) -> None:
    """What is sent to workers contains addresses, but no threads and no catalogs."""
    logs = FollowedLogs({SPACE: str(log)})
    logs.of(SPACE)
    sent = pickle.dumps(logs)

    assert len(sent) < 500
    assert pickle.loads(sent).of(SPACE) is logs.of(SPACE)
