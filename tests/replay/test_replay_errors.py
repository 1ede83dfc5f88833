"""Interrupted replays, damaged results, and unusual input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.replay import beam_replay as replays
from pipelines.replay.results import begin_run
from tests.replay import kit
from tests.replay.kit import START
from towpath.reports.history import Entry, History
from towpath.reports.history_text import to_text

FEW = ["--shards", 1]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Write three signups."""
    found = [r for n in range(3) for r in kit.life(f"u{n}", 10 * n)]
    return kit.write_lines(tmp_path / "events.jsonl", found)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_error_on_beam_shows_no_traceback(
    error: BaseException, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C exits with 130, a full disk with 1 and its reason: Beam's tracebacks are not shown."""

    def stop(*_: object) -> None:
        raise error

    monkeypatch.setattr(replays, "run_bucket", stop)
    done = kit.replay(tmp_path / "out", events, more=kit.BEAM)

    interrupted = isinstance(error, KeyboardInterrupt)
    assert done.code == (130 if interrupted else 1)
    assert ("interrupted" if interrupted else "No space left on device") in done.err
    assert "Traceback" not in done.err


def test_an_unfinished_replay_is_detected(events: Path, tmp_path: Path) -> None:
    """Half-replaced results are not valid: explain refuses them, a new replay repairs them."""
    out = tmp_path / "out"
    kit.replay(out, events, more=FEW)
    begin_run(replays.Job(records=(), events=(), until=0, out=str(out)))
    explained = kit.towpath("explain", "u1", "--out", out)

    assert (explained.code, "this replay did not finish" in explained.err) == (1, True)
    assert kit.replay(out, events, more=FEW).code == 0
    assert kit.towpath("explain", "u1", "--out", out).code == 0


@pytest.mark.parametrize("broken", ["replay.json", "transition/*/part-0.parquet"])
def test_damaged_results_are_reported(broken: str, events: Path, tmp_path: Path) -> None:
    """Damaged results are an error of the folder, not a defect of the program."""
    out = tmp_path / "out"
    kit.replay(out, events, more=FEW)
    for path in out.glob(broken):
        path.write_bytes(b"garbage")
    done = kit.towpath("explain", "u1", "--out", out)

    assert (done.code, "damaged" in done.err) == (1, True)


def test_two_flows_with_one_id_are_refused(events: Path, tmp_path: Path) -> None:
    """If two files have flows with one id, both are named and neither is replayed."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        shutil.copytree(Path(kit.WELCOME).parent, folder)
    words = ["--events", events, "--until", kit.UNTIL, "--out", tmp_path / "out", *FEW]

    for done in (kit.towpath("replay", *folders, *words), kit.towpath("check", *folders)):
        assert done.code == 1
        assert all(str(folder / "welcome.yaml") in done.err for folder in folders)


def test_refusals_without_a_flow_are_reported(tmp_path: Path) -> None:
    """Rejections without a flow of the run are in the report, too (I15)."""
    ahead = kit.track(1, "u", "Signup", START, receivedAt=START - 2 * kit.DAY)
    events = kit.write_lines(tmp_path / "events.jsonl", [ahead])
    done = kit.replay(tmp_path / "text", events, more=FEW)
    told = json.loads(kit.replay(tmp_path / "json", events, more=[*FEW, "--json"]).out)

    assert told["refused"] == {"future_time": 1}
    assert (
        "future_time 1: the event time is later than the ingestion time, which is used" in done.out
    )
    assert "Refused without a flow" not in done.out
    assert "1 record of 1 user" in done.out


def test_an_audit_does_not_call_a_lift_chance(events: Path, tmp_path: Path) -> None:
    """With --audit users may have got the messages: the note does not call a lift chance."""
    done = kit.replay(tmp_path / "out", events, more=[*FEW, "--audit"])

    assert "Audit replay" in done.out
    assert "chance" not in done.out


def test_an_open_quote_affects_only_its_line(tmp_path: Path) -> None:
    """A quote that is never closed gives one dead letter, and the lines after it are read."""
    rows = [f"u{n},{START + n},Signup," for n in range(300)]
    rows[9] = f'"u9,{START},Signup,'
    table = tmp_path / "rows.csv"
    table.write_text("\n".join(["who,at,what,amount", *rows]) + "\n")
    mapping = tmp_path / "map.yaml"
    mapping.write_text(kit.MAP)
    out = tmp_path / "out"
    done = kit.replay(out, table, more=[*FEW, "--map", mapping])

    entered = [row for row in kit.rows(out, "transition") if row["what"] == "entered"]
    assert len(entered) == 299
    assert "1 record rejected" in done.err
    assert f"{table}:11:1: an open quote or too long a field, lines 11 to 110" in done.err


def test_rates_of_an_unknown_channel_are_refused(events: Path, tmp_path: Path) -> None:
    """A channel that no flow uses is refused before the run, with a suggestion."""
    rates = tmp_path / "rates.yaml"
    rates.write_text("lgo: {delivered: 98%}\n")
    done = kit.replay(tmp_path / "out", events, more=[*FEW, "--assume", rates])

    assert done.code == 1
    assert 'rates.yaml:1:1: no flow sends on channel "lgo"' in done.err
    assert '"log"' in done.err


def test_control_characters_in_headers_are_escaped(tmp_path: Path) -> None:
    """Control characters in a file's header are shown escaped."""
    table = tmp_path / "rows.csv"
    table.write_text("who\x1b[2J,at\n1,2\n")
    mapping = tmp_path / "map.yaml"
    mapping.write_text(kit.MAP)
    done = kit.replay(tmp_path / "out", table, more=["--map", mapping])

    assert "\x1b" not in done.err
    assert r"who\x1b[2J" in done.err


def test_explain_escapes_control_characters(tmp_path: Path) -> None:
    """What explain shows of the data, and of its arguments, cannot control the terminal."""
    events, out = kit.write_lines(tmp_path / "events.jsonl", kit.life("u0", 1)), tmp_path / "out"
    kit.replay(out, events, more=FEW)
    shown = kit.towpath("explain", "\x1b[2J\x1b[31m", "--out", out)

    assert shown.code == 1
    assert "\x1b" not in shown.out + shown.err
    assert r"user \x1b[2J\x1b[31m" in shown.err


def test_the_timeline_has_no_control_characters() -> None:
    """Every text of an entry is escaped, colours included."""
    bad = "\x1b[31mx\x9b2J\n"
    whats = ["decided", "status", "error", "goal", "withheld", "planned", "participant", "call"]
    entries = [Entry(1, what, "flow", bad, reason=bad, detail=bad) for what in whats]
    text = to_text(History("u", 2, entries, [], []), lambda text, style: text)

    assert all(c.isprintable() or c == "\n" for c in text)
    assert len(text.splitlines()) == len(entries) + 2
