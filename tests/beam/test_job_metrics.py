"""A job counts what it does, by the names of the list, and logs troubles without personal data."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.utils.timestamp import Timestamp

from tests.kit.reminders import AT_ONCE_LINES, HOUR, SPACE, TEN, track
from tests.kit.streams import message, run
from transforms.beam.receive import Receive
from transforms.beam.run_flows import RunFlows
from transforms.flows.protocol import signals
from transforms.hosting import trouble, watch_logs
from transforms.hosting.catalogs import FollowedLogs
from transforms.hosting.job_metrics import METRICS
from transforms.hosting.receive import Key
from transforms.hosting.settings import Settings
from transforms.sources.pubsub.beam_source import Received

USERS = ("kim-7731", "lee-7732", "pat-7733", "sam-7734")
SECRET = "a-secret-value"
NOW = TEN + 10 * 60_000


class Clock:
    """The clock of the job: ten minutes after the events."""

    def __call__(self) -> int:
        return NOW


class Broken(RunFlows):
    """The step; one user's state cannot be read."""

    def process(
        self, element: tuple[Key, bytes], state: Any = RunFlows.STATE, wake: Any = RunFlows.ALARM
    ) -> Any:
        if signals.decode(element[1]).user == USERS[1]:
            state.write(b"\x7f" + SECRET.encode())
        return super().process(element, state, wake)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Begin without troubles that were logged before, and check the logs at once.

    Programs that other tests ran in this process may have switched off logging.
    """
    monkeypatch.setattr(trouble.LOG, "disabled", False)
    monkeypatch.setattr(trouble.LOG, "propagate", True)
    caplog.set_level(logging.INFO, logger=trouble.LOG.name)
    monkeypatch.setattr(trouble, "_SEEN", {})
    monkeypatch.setattr(watch_logs.WATCH, "_next", 0.0)
    monkeypatch.setattr(watch_logs, "PACE", 3600.0)


@pytest.fixture
def logs(tmp_path: Path) -> FollowedLogs:
    """Return logs of three spaces: a good one, one that is behind, and one that cannot be read."""
    good, late, bad = (tmp_path / f"{name}.jsonl" for name in ("good", "late", "bad"))
    for path in (good, late):
        path.write_bytes(b"".join(line + b"\n" for line in AT_ONCE_LINES))
    late.with_name("late.jsonl.complete").write_text(str(TEN - 1))
    bad.write_text('{"is": "nothing"}\n\n')
    return FollowedLogs({SPACE: str(good), "late": str(late), "bad": str(bad)}, every=3600)


def given() -> list[tuple[Any, int]]:
    """Return messages: good ones, an unread event, a heartbeat, and what cannot be handled."""
    broken = json.dumps(
        {"type": "track", "userId": USERS[3], "event": "Cart", "note": SECRET}
    ).encode()
    return [
        message(track("c0", USERS[0], "Cart", TEN), TEN, "c0", space=SPACE),
        message(track("c1", USERS[1], "Cart", TEN), TEN, "c1", space=SPACE),
        message(track("c2", USERS[2], "Cart", TEN, note=SECRET), TEN, "c2", space="late"),
        message(track("p0", USERS[0], "Page Viewed", TEN), TEN, "p0", space=SPACE),
        message(broken, TEN, "b0", space=SPACE),
        message(track("u0", USERS[3], "Cart", TEN), TEN, "u0", space="nowhere"),
        message(b"", TEN, "h0", kind="heartbeat"),
    ]


def wire(logs: FollowedLogs, settings: Settings) -> Any:
    def wired(messages: Any) -> Any:
        received = messages | "Decode" >> beam.ParDo(Receive(logs, SPACE)).with_outputs(
            "bad", main="signals"
        )
        return received.signals | "Run flows" >> beam.ParDo(Broken(logs, settings))

    return wired


def test_a_job_counts_what_it_does(logs: FollowedLogs) -> None:
    """Counters and distributions of a run: signals, dead letters by reason, lateness, control logs."""
    found = _run(logs)

    repeated = ("outputs", "alarms", "signals_held")  # the held user is tried again until the end
    assert {n: count for n, count in found["counters"].items() if not n.startswith(repeated)} == {
        "signals": 3,
        "unread": 1,
        "heartbeats": 1,
        "dead_letters.missing": 1,
        "dead_letters.unknown_space": 1,
        "dead_letters.unreadable_state": 1,
        "handled_late": 1,
        "control_late.late": 1,
        "control_late.bad": 1,
        "control_trouble.bad": 1,
    }
    assert found["counters"]["outputs.dead_letter"] == 1
    assert found["counters"]["outputs.transition"] == 3
    assert found["counters"]["signals_held.late"] >= 1
    distributions = found["distributions"]
    assert distributions["handling_lag"].max == NOW - TEN
    assert distributions["state_size"].min > 0
    assert distributions["control_sequence.shop"].max == distributions["control_sequence.late"].max
    assert distributions["control_lag.shop"].max == 0 < distributions["control_lag.late"].max


def test_the_names_are_those_of_the_list(logs: FollowedLogs) -> None:
    """Each series has the name of a metric of its kind, with a value if it has a label."""
    known = {(metric.name, f"{metric.kind}s"): metric for metric in METRICS}

    for kind, series in _run(logs).items():
        for name in series:
            first, dot, _ = name.partition(".")
            assert bool(dot) == bool(known[first, kind].by)


def _run(logs: FollowedLogs) -> dict[str, dict[str, Any]]:
    """Run the messages on Beam's portable runner; return the metrics of the job by kind and name."""
    elements = [
        beam.window.TimestampedValue(one, Timestamp(micros=at * 1000)) for one, at in given()
    ]
    settings = Settings(clock=Clock(), until=TEN + 9 * HOUR)
    with beam.Pipeline("FnApiRunner") as pipeline:
        made = pipeline | "Elements" >> beam.Create(elements, reshuffle=False)
        stamped = made | beam.Map(lambda one: one).with_output_types(Received)
        _ = wire(logs, settings)(stamped)
    found = pipeline.result.metrics().query()
    return {
        kind: {
            one.key.metric.name: one.result
            for one in found[kind]
            if one.key.metric.namespace == "towpath"
        }
        for kind in ("counters", "distributions")
    }


def test_the_log_of_a_faulty_run_has_no_personal_data(
    logs: FollowedLogs, caplog: pytest.LogCaptureFixture
) -> None:
    """Each trouble is one line of JSON with the space; no line names a user or a value of a record."""
    caplog.set_level(logging.INFO)
    steps = [TEN - HOUR, given(), TEN + HOUR, given(), TEN + 2 * HOUR]
    run(steps, Received, wire(logs, Settings(clock=Clock(), until=TEN + 9 * HOUR)))
    lines = [record.getMessage() for record in caplog.records]
    troubles = [
        json.loads(one.getMessage()) for one in caplog.records if one.name == trouble.LOG.name
    ]

    assert not [line for line in lines for word in (*USERS, SECRET) if word in line]
    assert sorted({(one["trouble"], one["space"]) for one in troubles}) == [
        ("control_behind", "late"),
        ("control_log", "bad"),
        ("missing", "shop"),
        ("unknown_space", "shop"),
        ("unreadable_state", "shop"),
    ]


def test_a_trouble_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """The next line has the number of times since the last one; other troubles have their own."""
    for at in (0.0, 1.0, 59.0, 60.0):
        trouble.report("failed", space="shop", now=lambda at=at: at)
    trouble.report("failed", space="other", now=lambda: 60.0)

    found = [json.loads(one.getMessage()) for one in caplog.records]
    assert [(one["space"], one["times"]) for one in found] == [
        ("shop", 1),
        ("shop", 3),
        ("other", 1),
    ]
