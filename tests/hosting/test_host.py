"""What all hosts share works without Beam, Flink, Arrow and fastavro."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.kit.reminders import AT_ONCE, AT_ONCE_LINES, HOUR, LOGS, SLACK, SPACE, TEN, track
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol import outputs
from transforms.hosting.catalogs import Catalogs, Known, read_once
from transforms.hosting.receive import Accepted, Key, Rejected, receive
from transforms.hosting.run import Stepper
from transforms.hosting.settings import Settings
from transforms.hosting.taken import Failed, Taken
from transforms.wire import decode as decoding
from transforms.wire.values import LAST

ROOT = Path(__file__).parents[2]
BLOCKED = (
    "apache_beam", "pyflink", "pyarrow", "fastavro", "duckdb", "google", "redis", "confluent_kafka"
)  # fmt: skip
ALONE = f"""
import importlib, pathlib, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())
sys.path.insert(0, ".")
for package in ("hosting", "wire"):
    for file in sorted(pathlib.Path("transforms", package).glob("*.py")):
        if (package, file.stem) != ("wire", "arrow"):
            importlib.import_module("transforms." + package + "." + file.stem)
for module in ("count_metrics", "records", "user_steps"):
    importlib.import_module("transforms.flink." + module)
from tests.hosting.test_host import Host
host = Host()
host.run()
print(*host.kinds())
"""


class Host:
    """A host in memory: the loop in the docstring of ``transforms.hosting.run``."""

    def __init__(self, logs: Catalogs = LOGS) -> None:
        self.stepper = Stepper(logs, Settings(clock=lambda: NEVER))
        self.states: dict[Key, bytes | None] = {}
        self.timers: dict[Key, int] = {}
        self.rows: list[outputs.AnyOutput] = []

    def on_message(self, data: bytes, attributes: dict[str, str], receipt: int) -> None:
        match receive(LOGS, data, attributes, receipt, space=SPACE):
            case Accepted() as accepted:
                key = accepted.key
                self.keep(key, self.stepper.take(key, self.states.get(key), accepted.signal))
            case Rejected(_, letter):
                self.rows.append(letter)

    def on_timer(self, key: Key, at: int) -> None:
        done = self.stepper.wake(key, self.states.get(key), at)
        if done is not None:
            self.keep(key, done)

    def keep(self, key: Key, done: Taken | Failed) -> None:
        match done:
            case Taken(state, rows, _, alarm):
                self.states[key] = state
                self.timers.pop(key, None)
                if alarm is not None:
                    self.timers[key] = alarm
                self.rows += rows
            case Failed(letter):
                self.rows.append(letter)

    def run(self) -> None:
        self.on_message(track("c1", "ann", "Cart", TEN), {}, TEN)
        self.on_message(b"{", {"id": "broken"}, TEN)
        while self.timers:
            key, at = min(self.timers.items(), key=lambda timer: timer[1])
            del self.timers[key]
            self.on_timer(key, at)

    def kinds(self) -> list[str]:
        return [str(type(row).__struct_config__.tag) for row in self.rows]


def test_the_loop_of_a_host_needs_no_runner() -> None:
    """If Beam, Flink, Arrow and fastavro cannot be imported, a host still imports all it needs and runs."""
    here, alone = (
        Host(),
        subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True),
    )
    here.run()

    assert alone.returncode == 0, alone.stderr
    assert alone.stdout.split() == here.kinds()
    assert {"message", "dead_letter"} <= set(here.kinds())


@pytest.fixture
def parses() -> Iterator[list[bytes]]:
    """Count what msgspec parses as JSON, by the interpreter's profiler."""
    found: list[bytes] = []

    def seen(_frame: Any, event: str, called: Any) -> None:
        owner = getattr(called, "__self__", None)
        if (event == "c_call" and isinstance(owner, msgspec.json.Decoder)) or (
            event == "c_call" and called is msgspec.json.decode
        ):
            found.append(b"")

    sys.setprofile(seen)
    yield found
    sys.setprofile(None)


@pytest.mark.parametrize("name", ["Cart", "Page Viewed"])
def test_a_json_event_is_parsed_once(name: str, parses: list[bytes]) -> None:
    """The bytes of a valid event are parsed only once, whether a flow uses it or not."""
    LOGS.of(SPACE)
    parses.clear()
    found = receive(LOGS, track("c1", "ann", name, TEN), {}, TEN, space=SPACE)

    assert isinstance(found, Accepted) == (name == "Cart")
    # The profiler does not see calls of a compiled decoder.
    assert len(parses) == (1 if decoding.__file__.endswith(".py") else 0)


class Behind:
    """A log that is complete until an instant."""

    spaces = frozenset({SPACE})

    def __init__(self) -> None:
        whole = read_once(AT_ONCE_LINES)
        cut = dataclasses.replace(whole.catalog, complete_until=TEN - HOUR)
        self.cut = Known(cut, whole.slack, "the disk is full")

    def of(self, space: str) -> Known:
        return self.cut


def _cart() -> Any:
    found = receive(LOGS, track("c1", "ann", "Cart", TEN), {}, TEN, space=SPACE)
    assert isinstance(found, Accepted)
    return found


def test_an_unused_event_waits_for_the_log() -> None:
    """An event that no flow reads is dropped only when the log is complete: a later record could use it
    (R5).
    """
    data = track("c1", "ann", "Page Viewed", TEN)

    assert receive(LOGS, data, {}, TEN, space=SPACE) == "unread"
    assert isinstance(receive(Behind(), data, {}, TEN, space=SPACE), Accepted)


@pytest.mark.parametrize(
    ("receipt", "nearest"), [(1_700_000_000_000_000, LAST), (TEN * 1_000_000, LAST), (-1, 0)]
)
def test_a_wrong_ingestion_time_is_refused(receipt: int, nearest: int) -> None:
    """A message whose time is in other units than ms becomes a dead letter that every sink can write."""
    found = receive(LOGS, track("c1", "ann", "Cart", TEN), {}, receipt, space=SPACE)

    assert isinstance(found, Rejected)
    assert (found.letter.reason, found.letter.at) == ("out_of_range", nearest)


def test_with_loose_a_log_that_stays_behind_is_reported() -> None:
    """With ``loose``, a signal is handled by a log that is not complete, and its space is reported."""
    cart, loose = _cart(), list[str]()
    done = Stepper(Behind(), Settings(loose=True), loose.append).take(cart.key, None, cart.signal)

    assert isinstance(done, Taken)
    assert loose == [SPACE]


def test_a_failure_changes_nothing() -> None:
    """A state that cannot be read gives a dead letter, and no new state or timer (R31)."""
    cart = _cart()
    done = Stepper(AT_ONCE).take(cart.key, b"\x7f", cart.signal)

    assert isinstance(done, Failed)
    assert done.letter.reason == "unreadable_state"


def test_a_draining_runner_fires_no_timer_early() -> None:
    """A timer that fires before its time by the clock is refused; at its time it is handled."""
    host, key = Host(AT_ONCE), (SPACE, "ann")
    host.on_message(track("c1", "ann", "Cart", TEN), {}, TEN)
    early = Stepper(AT_ONCE, Settings(clock=lambda: TEN))
    at = host.timers[key]

    assert at == TEN + HOUR + SLACK
    assert early.wake(key, host.states[key], at) is None
    assert isinstance(host.stepper.wake(key, host.states[key], at), Taken)
