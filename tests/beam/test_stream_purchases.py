"""What ``make stream-purchases`` shows, on a few users."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from tests.kit.stream_purchases import SPACE, UNTIL, clear, control_log, demo, main, purchases
from transforms.beam.write_tables import TO_TABLES
from transforms.flows.engine.step import Done, fold
from transforms.flows.protocol import outputs
from transforms.flows.protocol.signals import Time
from transforms.hosting.catalogs import FollowedLogs

USERS = 25


@pytest.mark.slow
def test_the_demo_writes_what_the_core_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages on a topic, flow states in Redis and numbers by SQL are those of the core (R3)."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "")
    shown = demo(tmp_path / "out", USERS)
    catalog = FollowedLogs({SPACE: str(control_log(tmp_path))}).of(SPACE).catalog
    wanted: dict[str, tuple[outputs.AnyOutput, ...]] = {}
    for user in {event.user for event in purchases(USERS)}:
        mine = [e for e in purchases(USERS) if e.user == user and e.time < UNTIL]
        given = [_received(e) for e in mine]
        done = fold(catalog, None, [*given, Time(user=user, at=UNTIL)])
        assert isinstance(done, Done)
        wanted[user] = done.outputs

    every = [o for found in wanted.values() for o in found]
    assert sorted(m.id for m in shown.messages) == sorted(
        o.id for o in every if isinstance(o, outputs.Message)
    )
    last = [o for o in wanted[shown.user] if isinstance(o, outputs.FlowState)][-1]
    assert shown.state is not None
    assert (shown.state.sequence, list(shown.state.flows)) == (last.sequence, last.flows)
    assert sum(row[3] or 0 for row in shown.numbers) == len(shown.messages)
    kinds = [o.__struct_config__.tag for o in every]
    for kind in TO_TABLES:
        assert shown.tables.get(kind, 0) == kinds.count(kind)
    assert (shown.acknowledged, shown.left) == (shown.events, 0)


def test_a_folder_that_no_demo_wrote_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--out`` with a folder that no demo wrote ends with an error message; nothing is deleted."""
    monkeypatch.setattr(logging, "disable", lambda _: None)
    for name in ("control.jsonl", SPACE):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("mine")
        monkeypatch.setattr(sys, "argv", ["stream_purchases", "--out", str(folder)])
        code, said = main(), capsys.readouterr()

        assert (code, said.out) == (2, "")
        assert said.err.startswith(f"{folder} holds something that no demo wrote")
        assert [path.name for path in folder.iterdir()] == [name]
        assert (folder / name).read_text() == "mine"


def test_only_what_a_demo_wrote_is_deleted(tmp_path: Path) -> None:
    """A second demo removes the tables and the log of the first, and keeps all other files."""
    out = tmp_path / "new" / "out"
    clear(out)
    control_log(out)
    (out / SPACE / "message").mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    clear(out)

    assert sorted(path.name for path in out.iterdir()) == [".stream_purchases", "notes.txt"]


def _received(event):
    import msgspec

    return msgspec.structs.replace(event, received=event.time)
