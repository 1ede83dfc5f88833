"""Code and calls in a replay: functions run, requests are written but never answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.replay.recount import recount
from tests.replay import kit
from towpath.reports.tables import Tables

SPACE = """\
channels: {log: {address: user}}
connections: {bureau: {url: "https://api.example.com"}}
"""
FLOW = """\
flow: scored
enter:
  - event: Signup
steps:
  level:
    code: |
      def run(plan):
          return {"paid": plan != "free"}
    with: {plan: entry.plan}
  ask:
    call: /scores
    connection: bureau
    data: {paid: session.level.paid}
    store: {score: score}
    timeout: {after: 2h, then: unknown}
    then: known
  known:   {update: {user.score: session.ask.score}, then: over}
  unknown: {update: {user.paid: session.level.paid}, then: over}
  over:    {end: done}
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> tuple[kit.Done, Path]:
    """Replay the flow over six signups."""
    folder = tmp_path_factory.mktemp("calls")
    (folder / "flows").mkdir()
    (folder / "flows" / "space.yaml").write_text(SPACE)
    flow = folder / "flows" / "scored.yaml"
    flow.write_text(FLOW)
    records = [r for n in range(6) for r in kit.life(f"u{n}", 10 * n)]
    events = kit.write_lines(folder / "events.jsonl", records)
    more = ["--shards", 1]
    return kit.replay(folder / "out", events, more=more, flow=str(flow)), folder / "out"


def test_code_runs_and_waits_for_calls_time_out(out: tuple[kit.Done, Path]) -> None:
    """A replay runs code; its calls are rows without an answer, as the report says (J13)."""
    done, folder = out
    with Tables(folder, ("call", "profile_update")) as tables:
        calls = tables.rows("select step, kind, target, inputs, connection from call order by all")
        told = {
            json.loads(text)["paid"] for (text,) in tables.rows("select set from profile_update")
        }

    assert done.code == 0, done.err
    assert [row[:2] for row in calls] == [("ask", "api")] * 6 + [("level", "code")] * 6
    assert calls[0] == ("ask", "api", "/scores", '{"paid":false}', "bureau")
    assert json.loads(calls[6][3]) == {"plan": "free"}
    assert told == {False}
    assert "6 HTTP requests not sent; waits for their responses time out." in done.out


def test_calls_count_as_messages(out: tuple[kit.Done, Path]) -> None:
    """Requests count as messages of their step and flow, also when counted from the rows (I25)."""
    _, folder = out
    recount(folder)
    with Tables(folder, ("step_metric", "flow_metric")) as tables:
        steps = tables.rows(
            "select step, metric, reason, sum(value) from step_metric where \"window\" = 'day'"
            " and metric in ('messages', 'calls') group by all order by all"
        )
        whole = tables.rows(
            "select sum(value) from flow_metric where \"window\" = 'day' and metric = 'messages'"
        )

    assert steps == [
        ("ask", "calls", "api", 6),
        ("ask", "messages", "", 6),
        ("level", "calls", "code", 6),
    ]
    assert whole == [(6,)]


def test_explain_shows_calls(out: tuple[kit.Done, Path]) -> None:
    """A user's history shows that code ran, which request was made, and how long its wait lasted."""
    _, folder = out
    said = kit.towpath("explain", "u1", "--out", folder)

    assert said.code == 0, said.err
    assert "scored  level: runs code" in said.out
    assert "scored  ask: POST /scores" in said.out
    assert "scored  ask: waits until 2024-01-01 02:00:00" in said.out
