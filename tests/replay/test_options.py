"""The options of a replay, and its error messages."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from pipelines.replay.assumptions import assumed
from tests.replay import kit
from tests.replay.kit import DAY, START
from towpath.cli import replay
from towpath.replay.processes import ProcessDiedError
from towpath.replay.rates import load_rates
from towpath.replay.size import Size, size_of
from transforms.flows.protocol.outputs import Message

FEW = ["--shards", 1]
BEGIN = '{"is":"start","sequence":1,"effective_at":1,"flow":"welcome"}\n'
WINNER = '{"is":"winner","sequence":2,"effective_at":2,"flow":"welcome","step":"a","branch":"b"}\n'


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Write twelve signups, every other with a purchase."""
    found = [kit.life(f"u{n}", 10 * n, n % 3, 2 if n % 2 else None) for n in range(12)]
    return kit.write_lines(tmp_path / "events.jsonl", [r for records in found for r in records])


def told(done: kit.Done) -> dict:
    """Parse the report, which must be all of stdout."""
    return json.loads(done.out)


def test_the_report_as_json(events: Path, tmp_path: Path) -> None:
    """With --json the numbers are one object: totals, and per flow steps, goals, reasons."""
    report = told(kit.replay(tmp_path / "out", events, more=[*FEW, "--json"]))
    flow = report["flows"][0]
    hello = flow["steps"][0]

    assert (report["users"], report["read"], report["rates"]) == (12, 18, None)
    assert (flow["flow"], flow["entered"], flow["users"]) == ("welcome", 12, 12)
    assert (hello["step"], hello["reached"], hello["unique"]) == ("hello", 12, 12)
    assert hello["messages"] + flow["holdout"] == 12
    assert hello["suppressed"] == ({"holdout": flow["holdout"]} if flow["holdout"] else {})
    goal = flow["goals"][0]
    assert goal["converted"] + goal["holdout_converted"] == 6
    assert goal["revenue"] == 20.5 * goal["converted"]
    assert goal["rate"] == goal["converted"] / (12 - flow["holdout"])
    assert (goal["lift"], goal["assumed"]) == (None, None)
    assert (goal["baseline"], goal["baseline_users"]) == (0.5, 6)
    assert sum(week["messages"] for week in report["weeks"]) == flow["messages"]


def test_only_options_after_dashes_need_beam(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay on this machine needs no Beam; a message has the command that installs it."""
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    done = kit.replay(tmp_path / "out", events)
    refused = kit.replay(tmp_path / "none", events, more=kit.BEAM)

    assert done.code == 0, done.err
    assert "about 18 records, in 1 process\n" in done.err
    assert refused.code == 2
    assert refused.err == (
        "error: the options after -- are for Beam, which is not installed; "
        "run pip install 'towpath[local]'\n"
    )


def test_a_process_that_dies_is_told(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what may help if the system ended a process for want of memory."""

    def die(*_: object) -> None:
        raise ProcessDiedError("exit code -9")

    monkeypatch.setattr(replay, "replay_in_shards", die)
    done = kit.replay(tmp_path / "out", events)

    assert done.code == 1
    assert (
        "error: a process of the replay ended before its work was done (exit code -9); if memory "
        "ran out, add --shards 64 or --processes 1\n"
    ) in done.err


def test_a_control_log_starts_and_stops(events: Path, tmp_path: Path) -> None:
    """With --control the log decides: a flow started on the second day and stopped on the fourth."""
    log = tmp_path / "log.jsonl"
    log.write_text(
        f'{{"is":"start","sequence":1,"effective_at":{START + DAY},"flow":"welcome"}}\n'
        f'{{"is":"stop","sequence":2,"effective_at":{START + 3 * DAY},"flow":"welcome"}}\n'
    )
    report = told(kit.replay(tmp_path / "out", events, more=[*FEW, "--json", "--control", log]))
    flow = report["flows"][0]

    assert flow["refused"] == {"flow_not_running": 4}
    assert flow["entered"] == 8
    assert flow["exits"]["stopped"] > 0


def test_goals_of_a_control_log_are_reported(events: Path, tmp_path: Path) -> None:
    """R24: a goal that the log adds is counted and reported with those of the flow's file."""
    goals = "bought: {event: Purchase, within: 30d}\\npaid: {event: Purchase, within: 20d}"
    log = tmp_path / "log.jsonl"
    log.write_text(
        BEGIN
        + f'{{"is":"goals","sequence":2,"effective_at":2,"flow":"welcome","text":"{goals}"}}\n'
    )
    report = told(kit.replay(tmp_path / "out", events, more=[*FEW, "--json", "--control", log]))
    bought, paid = report["flows"][0]["goals"]

    assert (bought["goal"], paid["goal"]) == ("bought", "paid")
    assert paid["converted"] + paid["holdout_converted"] == 6
    assert bought["revenue"] == 0


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (BEGIN + '{"is":"pause"}\n', ":2:1:"),
        ("\n" + BEGIN.replace("welcome", "other"), ":2:1:"),
        (BEGIN + WINNER, ":2:1:"),
    ],
)
def test_an_invalid_control_record_is_reported(
    events: Path, tmp_path: Path, lines: str, place: str
) -> None:
    """A control record that is invalid, names an unknown flow or asks too much has an error with
    its line.
    """
    log = tmp_path / "log.jsonl"
    log.write_text(lines)
    done = kit.replay(tmp_path / "out", events, more=[*FEW, "--control", log])

    assert done.code == 1
    assert f"{log}{place}" in done.err
    assert not (tmp_path / "out").exists()


def test_assumed_rates_become_statuses(events: Path, tmp_path: Path) -> None:
    """With --assume statuses are random and handled: if all click, no user gets a reminder."""
    rates = tmp_path / "rates.yaml"
    rates.write_text("log: {delivered: 100%, opened: 100%, clicked: 100%}\n")
    done = kit.replay(tmp_path / "out", events, more=[*FEW, "--assume", rates])
    statuses = {row["status"] for row in kit.rows(tmp_path / "out", "communication")}
    clicked = {
        row["user"]
        for row in kit.rows(tmp_path / "out", "communication")
        if row["status"] == "clicked"
    }
    again = {row["user"] for row in kit.rows(tmp_path / "out", "message") if row["step"] == "again"}

    assert statuses >= {"delivered", "opened", "clicked"}
    assert clicked
    assert not again
    assert "Assumed rates: log delivered 100 %, opened 100 %, clicked 100 %." in done.out


def test_without_rates_there_are_no_statuses(events: Path, tmp_path: Path) -> None:
    """Without --assume waits for a click time out."""
    kit.replay(tmp_path / "out", events, more=FEW)
    left = [r for r in kit.rows(tmp_path / "out", "transition") if r["what"] == "left"]

    assert {row["reason"] for row in left if row["step"] == "seen"} == {"timeout", "case_2"}


def test_rates_of_zero_change_nothing(events: Path, tmp_path: Path) -> None:
    """With rates of zero the step-by-step replay gives the bytes of the replay in one go (R3)."""
    rates = tmp_path / "rates.yaml"
    rates.write_text("log: {delivered: 0%}\n")
    kit.replay(tmp_path / "a", events, more=[*FEW, "--assume", rates])
    kit.replay(tmp_path / "b", events, more=FEW)

    assert kit.contents(tmp_path / "a") == kit.contents(tmp_path / "b")


def test_a_click_implies_an_open() -> None:
    """Each message has one random number: the given share gets each status, always in order."""
    rates = {"email": {"delivered": 9_000, "opened": 4_000, "clicked": 1_000}}
    drawn = [tuple(u.status for u in assumed(_message(n), rates)) for n in range(2_000)]

    assert set(drawn) == {
        (), ("delivered",), ("delivered", "opened"), ("delivered", "opened", "clicked"),
    }  # fmt: skip
    assert abs(sum("opened" in found for found in drawn) / 2_000 - 0.4) < 0.05


def _message(number: int) -> Message:
    return Message(
        id=f"m{number}-1", user="u", at=START, flow="f", version=1, session="s", step="s",
        communication=f"m{number}", channel="email", address="a", template="t",
        template_version="1", data={},
    )  # fmt: skip


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Write two hundred users; a fifth of them buy."""
    found = [kit.life(f"u{n}", 10 * n, n % 3, 2 if n % 5 == 0 else None) for n in range(200)]
    return kit.write_lines(tmp_path / "many.jsonl", [r for records in found for r in records])


def test_a_back_test_has_no_lift(many: Path, tmp_path: Path) -> None:
    """Nobody was sent anything: the report gives the baseline, and which lift a live run shows."""
    done = kit.replay(tmp_path / "out", many, more=FEW)

    assert "baseline    20.0% of users reach it without a message: 40 of 200" in done.out
    assert re.search(r"detectable  a lift of \d+\.\d percentage points", done.out)
    assert "lift  " not in done.out
    assert "confidence interval" not in done.out


def test_an_assumed_effect_gives_a_lift_and_says_so(many: Path, tmp_path: Path) -> None:
    """With an effect of 50 % half of the users with a message who would not buy do buy."""
    effect = tmp_path / "rates.yaml"
    effect.write_text("effect: {welcome: {bought: 50%}}\n")
    done = kit.replay(tmp_path / "out", many, more=[*FEW, "--assume", effect])
    kit.replay(tmp_path / "plain", many, more=FEW)
    again = kit.replay(tmp_path / "out", many, more=[*FEW, "--assume", effect, "--json"])
    goal = told(again)["flows"][0]["goals"][0]

    assert "percentage points, by the assumed effect:" in done.out
    assert "Assumed effect: 50 % of the users with a message of welcome" in done.out
    assert "Assumed rates" not in done.out
    assert (goal["assumed"], goal["lift"]["holdout"]) == (50.0, pytest.approx(0.2, abs=0.02))
    assert goal["lift"]["treated"] == pytest.approx(0.6, abs=0.02)
    assert kit.contents(tmp_path / "out") == kit.contents(tmp_path / "plain")


def test_an_audit_replay_has_a_lift(many: Path, tmp_path: Path) -> None:
    """In an audit replay messages may have been sent: the lift is what the events show."""
    report = told(kit.replay(tmp_path / "out", many, more=[*FEW, "--audit", "--json"]))
    goal = report["flows"][0]["goals"][0]

    assert (goal["baseline"], goal["detectable"], goal["assumed"]) == (None, None, None)
    assert goal["lift"]["confidence"] == 0.95


def test_an_audit_replay_takes_no_effect(many: Path, tmp_path: Path) -> None:
    """An effect is not assumed on top of messages that may have been sent."""
    effect = tmp_path / "rates.yaml"
    effect.write_text("effect: {welcome: {bought: 50%}}\n")
    done = kit.replay(tmp_path / "out", many, more=[*FEW, "--audit", "--assume", effect])

    assert (done.code, "in an audit replay" in done.err) == (2, True)


def test_all_errors_in_effects_are_reported_at_once() -> None:
    """Unknown flows and goals are reported with a suggestion, and shares that are none."""
    text = "effect:\n  welcom: {bought: 1%}\n  welcome: {bougt: 1%, bought: much}\n"
    found = load_rates(text, "rates.yaml", (), {"welcome": ["bought"]})
    assert [(p.line, p.code) for p in found.problems] == [
        (2, "unknown-flow"), (3, "unknown-goal"), (3, "not-a-share"),
    ]  # fmt: skip
    flat = load_rates("effect: 2%\n", "rates.yaml", (), {"welcome": ["bought"]})
    assert [p.code for p in flat.problems] == ["not-a-mapping"]


def test_all_errors_in_rates_are_reported_at_once() -> None:
    """Every problem in a file of rates is reported, with its place and a hint."""
    text = "email: {delivered: 50%, opened: 60%}\nsms: {delivred: 1%, opened: lots}\nlog: 3\n"
    found = [(p.line, p.code) for p in load_rates(text, "rates.yaml").problems]

    assert found == [
        (1, "impossible-rates"), (2, "unknown-status"), (2, "not-a-share"), (3, "not-a-mapping"),
    ]  # fmt: skip


def test_usage_errors(events: Path, tmp_path: Path) -> None:
    """A missing file, an invalid time and a folder in use are usage errors with exit code 2."""
    used = tmp_path / "used"
    used.mkdir()
    (used / "thesis.txt").write_text("all of it")
    missing = kit.replay(tmp_path / "out", tmp_path / "none.jsonl")
    words = ["replay", kit.WELCOME, "--events", events, "--out", tmp_path / "out", "--until"]

    assert (missing.code, "no such file" in missing.err) == (2, True)
    assert kit.towpath(*words, "soon").code == 2
    assert kit.replay(used, events).code == 2
    assert (used / "thesis.txt").exists()
    assert kit.replay(tmp_path / "out", events, more=[*FEW, *kit.BEAM]).code == 2
    beam = kit.replay(tmp_path / "out", events, more=["--", "--runner=X"])
    assert (beam.code, "invalid Beam options" in beam.err) == (2, True)


def test_a_table_without_a_mapping_is_refused_before_the_run(tmp_path: Path) -> None:
    """A file without readable columns stops the replay, with a hint."""
    table = kit.write_csv(tmp_path / "rows.csv", [])
    done = kit.replay(tmp_path / "out", table)

    assert done.code == 1
    assert "--map" in done.err
    assert not (tmp_path / "out").exists()


def test_problems_of_a_flow_are_shown_with_their_places(events: Path, tmp_path: Path) -> None:
    """A flow with problems is not replayed; they are shown as `check` shows them."""
    flow = tmp_path / "broken.yaml"
    flow.write_text("flow: broken\nenter:\n  - event: Signup\nsteps:\n  a: {sned: log}\n")
    done = kit.replay(tmp_path / "out", events, flow=str(flow))

    assert done.code == 1
    assert f"{flow}:5:" in done.err


def test_the_size_is_estimated_before_the_run(events: Path, tmp_path: Path) -> None:
    """Records are estimated within a factor of two; processes and shards follow from them."""
    packed = kit.write_lines(
        tmp_path / "many.jsonl.gz", [r for n in range(20_000) for r in kit.life(f"u{n}", n)]
    )

    assert 10_000 < size_of((str(packed),)).events < 40_000
    assert size_of((str(events),)).events == 18
    large = Size(events=100_000_000, memory=60 << 30, free=8 << 30)
    assert large.shards(2) % 16 == 0
    assert 32 <= large.shards(1) <= large.shards(2)
    assert Size(events=9_999, memory=0, free=8 << 30).processes == 1
    assert Size(events=10**9, memory=0, free=8 << 30).processes == len(os.sched_getaffinity(0))
    assert Size(events=10**9, memory=0, free=1 << 30).processes == 1


def test_a_mapping_that_is_not_used_is_refused(events: Path, tmp_path: Path) -> None:
    """--map is refused if all records have the envelope's fields, --space if no flow is named."""
    mapping = tmp_path / "map.yaml"
    mapping.write_text(kit.MAP)
    mapped = kit.replay(tmp_path / "out", events, more=[*FEW, "--map", mapping])
    checked = kit.towpath("validate-events", "--map", mapping, events)
    log = tmp_path / "log.jsonl"
    log.write_text(BEGIN)
    words = ["--events", events, "--until", kit.UNTIL, "--out", tmp_path / "o", "--control", log]
    spaced = kit.towpath("replay", *words, "--space", Path(kit.WELCOME).parent / "space.yaml")

    space = Path(kit.WELCOME).parent / "space.yaml"
    text = json.dumps(space.read_text())
    log.write_text(
        f'{{"is":"space","sequence":1,"effective_at":1,"text":{text}}}\n'
        + BEGIN.replace('"sequence":1', '"sequence":2')
    )
    twice = kit.towpath("replay", kit.WELCOME, *words, "--space", space)

    assert (mapped.code, checked.code, spaced.code, twice.code) == (2, 2, 2, 2)
    assert f"--space is not used: {log} sets the space" in twice.err
    assert f"--map {mapping} is not used" in mapped.err
    assert f"--map {mapping} is not used" in checked.err
    assert "--space is not used" in spaced.err


def test_json_lines_with_a_mapping(tmp_path: Path) -> None:
    """JSON lines of any form are replayed by a mapping with paths; equal records all count."""
    record = {"who": {"id": "u"}, "at": START // 1000, "what": "Signup", "sum": {"amount": 3}}
    events = kit.write_lines(tmp_path / "events.jsonl", [record, record])
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "user: who.id\nevent: what\ntime: {column: at, unit: s}\n"
        "properties: {amount: {column: sum.amount, type: number}}\n"
    )
    report = told(
        kit.replay(tmp_path / "out", events, more=[*FEW, "--json", "--map", mapping, "--strict"])
    )

    assert (report["bad"], report["users"], report["flows"][0]["entered"]) == (0, 1, 1)


def test_the_same_problem_is_told_once(tmp_path: Path) -> None:
    """Thousands of records with one problem take two lines: a count, and three examples."""
    records = [kit.track(n, "u", "Signup", START // 1000) for n in range(3000)]
    records.append(kit.track(9000, "u", "Signup", START) | {"timestamp": None})
    events = kit.write_lines(tmp_path / "events.jsonl", records)
    done = kit.replay(tmp_path / "out", events, more=FEW)
    checked = kit.towpath("validate-events", events)

    for err in (done.err, checked.err):
        assert err.count("it looks like seconds") == 1
        more = f"the same in 2,999 more records: for example {events}:2, {events}:3"
        assert more in err
        assert err.count("it is null") == 1
    assert "3,001 records rejected" in done.err
