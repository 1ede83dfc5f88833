"""Every command of ``towpath flows``, given while a streaming job runs, and its effect in outputs.

The job reads its control log from a real Redis. It handles what happened until ten o'clock and
waits, since the log is complete until then only. Now an operator types the commands, each in a
process of its own, and the controller declares the log complete: the job goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import msgspec
import pytest

from pipelines.stream import RunStream
from tests.kit import streams
from tests.kit.redis_server import RedisServer
from tests.kit.reminders import HOUR, MINUTE, SPACE, TEN, track
from tests.kit.streams import At, message, run
from tests.kit.timeouts import PATIENCE
from towpath.control.store import store_of
from transforms.flows.catalog.control_log import records_of
from transforms.flows.protocol import control_records as log
from transforms.flows.protocol import outputs
from transforms.flows.reading.project import load_project
from transforms.hosting.catalogs import FollowedLogs
from transforms.hosting.settings import Settings
from transforms.sources.pubsub.beam_source import Received

SPACE_TEXT = "space: shop\nslack: 10s\nchannels:\n  log: {address: user}\n"
REMIND = """
flow: remind
enter: [{event: Cart}]
goals:
  ordered: {event: Order, within: 2d}
steps:
  ordering: {wait_for: [{event: Order, then: over}], timeout: {after: 1h, then: style}}
  style: {split: {plain: 50%, bold: 50%}, then: {plain: plain, bold: bold}}
  plain: {send: log, template: note, then: over}
  bold: {send: log, template: note, then: over}
  over: {end: done}
"""
THANK = "flow: thank\nenter: [{event: Cart}]\nsteps:\n  pause: {wait: 30d}\n"
FILES = {
    "space.yaml": SPACE_TEXT,
    "messages/note.liquid": "Your cart waits.\n",
    "remind.yaml": REMIND,
    "thank.yaml": THANK,
}
LONGER = REMIND.replace("after: 1h", "after: 3h")
RENAMED = REMIND.replace("ordering:", "thinking:")
BEFORE = TEN - 30 * MINUTE
AT = ["--at", "2026-09-30T10:01"]
EARLIER, LATER = ("kim", "ann", "bob", "cem"), ("lee", "mia", "noa", "oli")
BY = ["--by", "Kim", "--note", "for a test"]
OPERATOR = "operator"
LOOKS = ("list", "history")
"""Commands that only look."""


def published(*started: str) -> list[log.ControlRecord]:
    """Publish both flows, and start some of them."""
    project = load_project(FILES)
    flows = {name: project.flow_text(name) for name in ("remind", "thank")}
    texts = {name: project.template_texts(name) for name in flows}
    made = records_of(flows, project.space_text, texts)
    return [r for r in made if not isinstance(r, log.Start) or r.flow in started]


def paused() -> list[log.ControlRecord]:
    """Pause the started flow while sessions are in it."""
    return [
        *published("remind"), log.Pause(sequence=9, effective_at=TEN - 20 * MINUTE, flow="remind")
    ]  # fmt: skip


def blocked() -> list[log.ControlRecord]:
    """Block everything while sessions are in the started flow."""
    return [*published("remind"), log.Kill(sequence=9, effective_at=TEN - 20 * MINUTE)]


class Outcome:
    """What came out of the job."""

    def __init__(self, outs: list[outputs.AnyOutput]) -> None:
        self.all = outs

    def moves(self, what: str, flow: str = "remind") -> list[outputs.Transition]:
        """Return rows of sessions."""
        return [
            o for o in self.all
            if isinstance(o, outputs.Transition) and (o.what, o.flow) == (what, flow)
        ]  # fmt: skip

    def entered(self, flow: str = "remind") -> set[str]:
        """Return the users who entered a flow."""
        return {move.user for move in self.moves("entered", flow)}

    def refused(self, flow: str = "remind") -> dict[str, set[str]]:
        """Return the users whom a flow refused, by reason."""
        found: dict[str, set[str]] = {}
        for one in self.all:
            if isinstance(one, outputs.Rejection) and one.flow == flow:
                found.setdefault(one.reason, set()).add(one.user)
        return found

    def messages(self) -> set[str]:
        """Return the users who get a message."""
        return {o.user for o in self.all if isinstance(o, outputs.Message)}

    def ended(self, reason: str) -> dict[str, int]:
        """Return the users whose session ended for a reason, and when."""
        return {m.user: m.at for m in self.moves("ended") if m.reason == reason}


class Case(msgspec.Struct):
    """Commands on a log with records, and what the outputs must show."""

    name: str
    commands: list[list[str]]
    check: Callable[[Outcome], None]
    held: Callable[[], list[log.ControlRecord]] = lambda: published("remind")
    event: str = "Cart"


BOTH = {*EARLIER, *LATER}


def published_first(out: Outcome) -> None:
    """Before the first publication nobody enters; afterwards everybody does."""
    assert out.entered() == set(LATER)
    assert out.messages() == set(LATER)


def published_next(out: Outcome) -> None:
    """New users enter the new version, others keep theirs, so their message comes earlier."""
    assert {m.user: m.version for m in out.moves("entered")} == (
        dict.fromkeys(EARLIER, 1) | dict.fromkeys(LATER, 2)
    )
    due = {o.user: o.at for o in out.all if isinstance(o, outputs.Message)}
    assert {due[user] for user in EARLIER} == {BEFORE + HOUR}
    assert {due[user] for user in LATER} == {TEN + 4 * HOUR}


def migrated(out: Outcome) -> None:
    """With --migrate those who wait wait as the new version says, from the start of the wait."""
    due = {o.user: o.at for o in out.all if isinstance(o, outputs.Message)}
    assert {due[user] for user in EARLIER} == {BEFORE + 3 * HOUR}


def succeeded(out: Outcome) -> None:
    """Sessions at a step that is gone go on at its successor."""
    assert set(out.ended("flow_changed")) == set()
    assert {m.user for m in out.moves("reached") if m.step == "thinking"} == BOTH


def started(out: Outcome) -> None:
    """Nobody enters a draft; once it is started, users enter."""
    assert out.entered("thank") == set(LATER)
    assert out.refused("thank")["flow_not_running"] == set(EARLIER)


def held_back(out: Outcome) -> None:
    """Of a paused flow nothing is sent, and nobody enters it."""
    assert out.messages() == set()
    assert out.refused()["flow_paused"] == set(LATER)


def resumed(out: Outcome) -> None:
    """After the resume those who waited get their message, and users enter again."""
    assert out.entered() == BOTH
    assert out.messages() == BOTH


def drained(out: Outcome) -> None:
    """Nobody enters, and those inside go on."""
    assert out.refused()["flow_not_running"] == set(LATER)
    assert out.messages() == set(EARLIER)


def stopped(out: Outcome) -> None:
    """All sessions end at the instant of the record, and nobody enters."""
    assert out.ended("stopped") == dict.fromkeys(EARLIER, TEN + MINUTE)
    assert out.refused()["flow_not_running"] == set(LATER)
    assert out.messages() == set()


def scheduled(out: Outcome) -> None:
    """After the end of the schedule nobody enters, and those inside go on."""
    assert out.refused()["outside_schedule"] == set(LATER)
    assert out.messages() == set(EARLIER)


def served_first(out: Outcome) -> None:
    """The flow of the higher priority comes first, which is not the one of the first id."""
    order: dict[str, list[str]] = {}
    for one in out.all:
        if isinstance(one, outputs.Transition) and one.what == "entered":
            order.setdefault(one.user, []).append(one.flow)
    assert {tuple(order[user]) for user in EARLIER} == {("remind", "thank")}
    assert {tuple(order[user]) for user in LATER} == {("thank", "remind")}


def paid(out: Outcome) -> None:
    """What counts as success from then on is counted, also for sessions that began before."""
    found = [(o.user, o.goal) for o in out.all if isinstance(o, outputs.Conversion)]
    assert sorted(found) == [(user, "paid") for user in sorted(EARLIER)]


def won(out: Outcome) -> None:
    """Those who reach the split from then on take the branch that has won."""
    assert {m.step for m in out.moves("reached") if m.step in ("plain", "bold")} == {"bold"}
    assert out.messages() == BOTH


def killed(out: Outcome) -> None:
    """Nothing is sent; sessions go on to their end."""
    assert out.messages() == set()
    assert {o.user for o in out.all if getattr(o, "reason", "") == "killed"} == BOTH
    assert {m.user for m in out.moves("ended")} == BOTH


def allowed(out: Outcome) -> None:
    """What was blocked leaves again after it is switched off."""
    assert out.messages() == BOTH


CASES = [
    Case("publish the first version", [["publish", "remind.yaml"], ["start", "remind"]],
         published_first, held=list),
    Case("publish the next version", [["publish", "longer/remind.yaml"]], published_next),
    Case("publish and migrate", [["publish", "longer/remind.yaml", "--migrate"]], migrated),
    Case("publish with a successor",
         [["publish", "renamed/remind.yaml", "--migrate", "--successor", "ordering=thinking"]],
         succeeded),
    Case("start", [["start", "thank"]], started),
    Case("pause", [["pause", "remind"]], held_back),
    Case("list and history", [["pause", "remind"], ["list"], ["history", "remind"]], held_back),
    Case("resume", [["resume", "remind"]], resumed, held=paused),
    Case("drain", [["drain", "remind"]], drained),
    Case("stop", [["stop", "remind", "--yes"]], stopped),
    Case("archive", [["archive", "remind", "--yes"]], stopped),
    Case("schedule", [["schedule", "remind", "--end", "2026-09-30T10:40"]], scheduled),
    Case("priority", [["priority", "thank", "5"]], served_first,
         held=lambda: published("remind", "thank")),
    Case("goals", [["goals", "remind", "goals.yaml"]], paid, event="Paid"),
    Case("winner", [["winner", "remind", "style", "bold"]], won),
    Case("kill a flow", [["kill", "remind"]], killed),
    Case("kill a channel", [["kill", "--channel", "log"]], killed),
    Case("kill everything", [["kill", "--all"]], killed),
    Case("allow again", [["kill", "--all", "--off"]], allowed, held=blocked),
]  # fmt: skip


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Start a server."""
    with RedisServer("valkey") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write the flows of the operator, and two other versions in folders of their own."""
    for part, text in (("", REMIND), ("longer", LONGER), ("renamed", RENAMED)):
        for name, held in {**FILES, "remind.yaml": text}.items():
            path = tmp_path / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(held)
    (tmp_path / "goals.yaml").write_text("goals:\n  paid: {event: Paid, within: 2d}\n")
    return tmp_path


class Operator(threading.Thread):
    """Waits until the job has handled what came before ten, types the commands, and completes."""

    def __init__(self, case: Case, address: str, folder: Path) -> None:
        super().__init__()
        self._case, self._address, self._folder = case, address, folder
        self.done: list[subprocess.CompletedProcess[str]] = []
        self.seen = 0

    def run(self) -> None:
        try:
            deadline = time.monotonic() + PATIENCE
            quiet = not self._case.held()
            while not quiet and len(streams.KEPT) < len(EARLIER) and time.monotonic() < deadline:
                time.sleep(0.01)
            self.seen = len(streams.KEPT)
            for words in self._case.commands:
                more = [] if words[0] in LOOKS else [*AT, *BY]
                self.done.append(self._type([*words, *more]))
        finally:
            store = store_of(self._address)
            store.complete(store.read(), TEN + 9 * HOUR)

    def _type(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"TOWPATH_CONTROL": self._address}
        return subprocess.run(
            [sys.executable, "-P", "-m", "towpath.cli.main", "flows", *words],
            cwd=self._folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip


def script(event: str) -> list[Any]:
    """Return what arrives: carts half an hour before ten, and events an hour after it.

    Between them is a heartbeat, at which the job waits for the operator.
    """
    first = [message(track(f"1-{u}", u, "Cart", BEFORE), BEFORE, f"1-{u}") for u in EARLIER]
    who, at = (EARLIER if event == "Paid" else LATER), TEN + HOUR
    second = [message(track(f"2-{u}", u, event, at), at, f"2-{u}") for u in who]
    between = message(b"", TEN - MINUTE, OPERATOR, kind="heartbeat")
    return [BEFORE, first, TEN - MINUTE, [between], at, second, at + MINUTE]


def waits(given: Received, logs: FollowedLogs) -> Received:
    """Wait at the heartbeat until the log is complete."""
    if given[3] == OPERATOR:
        deadline = time.monotonic() + PATIENCE
        while logs.of(SPACE).catalog.complete_until <= TEN:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    return given


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_command_has_its_effect_while_the_job_runs(
    case: Case, server: RedisServer, folder: Path
) -> None:
    """What the operator commands while the job runs is what its outputs show from then on."""
    address = f"{server.url}?space={case.name.replace(' ', '-')}"
    store = store_of(address)
    store.complete(store.append(store.read(), case.held()) if case.held() else store.read(), TEN)
    logs = FollowedLogs({SPACE: address}, every=0.05)
    settings = Settings(until=TEN + 8 * HOUR, clock=At())
    operator = Operator(case, address, folder)
    streams.KEPT.clear()
    operator.start()

    def wire(given: Any) -> Any:
        return given | beam.Map(waits, logs) | RunStream(logs, SPACE, settings)

    collected = run(script(case.event), Received, wire)

    operator.join()
    for one in operator.done:
        assert one.returncode == 0, one.stderr
        assert "2026-09-30 10:01:00 UTC" in one.stdout
    assert operator.seen >= len(EARLIER) or not case.held()
    assert operator.seen < len(collected.outputs)
    case.check(Outcome([outputs.decode(encoded) for _, encoded in collected.outputs]))
    made = store.read().records[-1]
    assert (made.by, made.note) == ("Kim", "for a test")
