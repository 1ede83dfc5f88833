"""A controller that dies anywhere, and the next one with the same index, decide what one would."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.control.outputs_of import DAY, HOUR, MINUTE, START, WAITS, event, log_of, outputs_of
from tests.control.rig import Kept, Rig, write_tables
from tests.control.test_index import dump
from tests.kit.timeouts import PATIENCE
from towpath.control.decide import LONGEST
from towpath.control.file_store import FileStore
from towpath.control.index import Index
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol.control_records import Drain, Pause, Resume

OTHER = WAITS.replace("flow: waits", "flow: other")
LONG = WAITS.replace("flow: waits", "flow: long").replace("2h", "200d")
USERS = [f"user{n:03}" for n in range(250)]


class Dies(BaseException):
    """The process is killed at this point."""


def prepared(folder: Path, signals: Kept | None = None) -> Rig:
    """Three flows: one is drained and left by all, one is resumed, one runs for 90 days."""
    rig = Rig(folder, signals)
    resumed = START + 89 * DAY
    rig.append(
        *log_of({"waits": WAITS, "other": OTHER, "long": LONG}),
        Drain(sequence=0, effective_at=START + HOUR, flow="other"),
        Pause(sequence=0, effective_at=resumed - DAY, flow="long"),
        Resume(sequence=0, effective_at=resumed, flow="long"),
    )
    known = catalog_of(rig.store.read().records, NEVER)
    rows = outputs_of(known, [event(user, "Begun", START + MINUTE) for user in USERS], START + DAY)
    write_tables(rig.tables, rows[: len(rows) // 2], "a")
    write_tables(rig.tables, rows[len(rows) // 2 :], "b")
    return rig


ROUNDS = [
    START + 2 * DAY,
    START + 89 * DAY - 1,
    *(START + 89 * DAY + n * 2000 for n in range(1, 8)),
    *(START + LONGEST + n * 15_000 for n in range(6)),
]


def result(rig: Rig, signals: Kept) -> object:
    """Return what is left: records without their times and sequences, wakes, index."""
    records = sorted((type(r).__name__, getattr(r, "flow", "")) for r in rig.records())
    wakes = sorted({(s.user, s.time, s.id) for s in signals.signals})
    return records, wakes, dump(rig.index)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> object:
    """The result of a controller that lives to the end."""
    signals = Kept()
    rig = prepared(tmp_path_factory.mktemp("undisturbed"), signals)
    for now in ROUNDS:
        rig.tick(now)
    return result(rig, signals)


def test_an_undisturbed_controller_does_all_there_is_to_do(undisturbed: Any) -> None:
    """All flows are ended, each once; every user of the resumed flow is woken, and of the stopped."""
    records, wakes, _ = undisturbed

    assert records == [("Finish", "other"), ("Stop", "long"), ("Stop", "waits")]
    assert len({(user, at) for user, at, _ in wakes}) == len(wakes) == 2 * len(USERS)


POINTS = [
    (owner, name, when)
    for owner, name in (
        ("index", "begin"),
        ("index", "apply"),
        ("index", "add_wakes"),
        ("index", "woke"),
        ("store", "append"),
        ("signals", "publish"),
    )
    for when in ("before", "after")
]


@pytest.mark.parametrize(("owner", "name", "when"), POINTS)
def test_a_death_at_any_point_loses_and_repeats_nothing(
    tmp_path: Path, undisturbed: object, owner: str, name: str, when: str
) -> None:
    """Killed before or after each kind of change, at every second occurrence of it."""
    signals = Kept()
    rig, dead = prepared(tmp_path, signals), 0
    _doom(getattr(rig, owner), name, when)
    rounds = list(ROUNDS)
    while rounds:
        try:
            rig.tick(rounds[0])
            del rounds[0]
        except Dies:
            dead += 1
            rig.index.close()
            vars(signals).pop("publish", None)
            rig = Rig(tmp_path, signals)
            _doom(getattr(rig, owner), name, when, after=2)
    vars(signals).pop("publish", None)

    assert dead > 0
    assert result(rig, signals) == undisturbed


def _doom(owner: object, name: str, when: str, after: int = 1) -> None:
    """Make the n-th call of a method the last thing that happens."""
    method: Callable[..., Any] = getattr(owner, name)
    calls = iter(range(1, 1_000_000))

    def called(*arguments: object) -> object:
        number = next(calls)
        if number == after and when == "before":
            raise Dies
        answer = method(*arguments)
        if number == after:
            raise Dies
        return answer

    setattr(owner, name, called)


# --- the process itself ----------------------------------------------------------------------


class Process:
    """``towpath flows serve`` in a folder, with its lines."""

    def __init__(self, folder: Path, *more: str) -> None:
        command = [sys.executable, "-m", "towpath.cli.main", "flows", "serve"]
        command += ["--control", "control.jsonl", "--outputs", "tables", "--index", "index.db"]
        command += ["--publish", "wakes.jsonl", "--every", "0.2", "--wakes", "10", *more]
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        self.lines = (folder / f"lines{time.monotonic_ns()}").open("a+")
        self.process = subprocess.Popen(
            command, cwd=folder, stderr=self.lines, env=environment, text=True
        )

    def said(self) -> list[dict[str, Any]]:
        """Return the lines so far; a half one is left out."""
        self.lines.seek(0)
        found = []
        for line in self.lines.read().split("\n")[:-1]:
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def wait_for(self, event_: str) -> None:
        """Wait until the controller has written a line of this kind."""
        until = time.monotonic() + PATIENCE
        while all(line["event"] != event_ for line in self.said()):
            assert time.monotonic() < until, self.text()
            assert self.process.poll() is None, self.text()
            time.sleep(0.05)

    def text(self) -> str:
        """Return all that was written."""
        self.lines.seek(0)
        return self.lines.read()

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the process; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.lines.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A log with a flow that was launched 100 days ago, with sessions, in real time."""
    start = time.time_ns() // 1_000_000 - 100 * DAY
    store = FileStore(str(tmp_path / "control.jsonl"))
    store.append(store.read(), log_of({"long": LONG}, at=start))
    known = catalog_of(store.read().records, NEVER)
    rows = outputs_of(known, [event(user, "Begun", start + MINUTE) for user in USERS])
    write_tables(tmp_path / "tables", rows, "a")
    return tmp_path


def test_a_killed_process_goes_on_where_it_was(folder: Path) -> None:
    """Killed with SIGKILL while it wakes users, it wakes the others, and stops the flow only once."""
    rng = random.Random(3)
    for _ in range(2):
        with Process(folder) as process:
            process.wait_for("started")
            process.wait_for("appended") if not (folder / "wakes.jsonl").exists() else None
            process.wait_for("woke")
            time.sleep(rng.random() / 2)
            assert process.end(signal.SIGKILL) == -signal.SIGKILL
    with Process(folder) as process:
        until = time.monotonic() + PATIENCE
        while len(_woken(folder)) < len(USERS):
            assert time.monotonic() < until, process.text()
            assert process.process.poll() is None, process.text()
            time.sleep(0.1)

        assert process.end() == 0
        assert process.said()[-1]["event"] == "ended"
    records = FileStore(str(folder / "control.jsonl")).read().records
    assert [r.__struct_config__.tag for r in records if r.by == "controller"] == ["stop"]
    assert set(_woken(folder)) == set(USERS)
    with Index(folder / "index.db", read_only=True) as index:
        assert sum(index.sessions_of("long").values()) == len(USERS)


def _woken(folder: Path) -> dict[str, str]:
    """Return the ids of the wakes by user; a user has one id, however often it was published."""
    found: dict[str, set[str]] = {}
    for line in (folder / "wakes.jsonl").read_bytes().split(b"\n"):
        with suppress(msgspec.DecodeError):  # half a line of a process that was killed
            record = msgspec.json.decode(line)
            found.setdefault(record["userId"], set()).add(record["messageId"])
    assert all(len(ids) == 1 for ids in found.values())
    return {user: min(ids) for user, ids in found.items()}


def test_a_second_process_is_refused(folder: Path) -> None:
    """It exits with 1 and says why; the first one goes on, and ends with 0 by SIGTERM."""
    with Process(folder) as first:
        first.wait_for("started")
        with Process(folder, "--index", "other.db") as second:
            assert second.process.wait(PATIENCE) == 1
            assert "another controller serves this log" in second.text()
        assert first.process.poll() is None
        assert first.end() == 0
