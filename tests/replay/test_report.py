"""The report of a replay: shares from step to step, variants side by side, and its pictures."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.replay import kit
from towpath.reports.funnel import Flow, Report, Step, Week
from towpath.reports.funnel_picture import funnel
from towpath.reports.funnel_text import percent
from towpath.reports.weekly_picture import weekly

USERS = 80
FLOW = """
flow: trial
enter: [{event: Signup}]
goals:
  bought: {event: Purchase, within: 30d}
steps:
  which:
    split: {short: 50%, long: 50%}
    then: {short: brief, long: letter}
  brief: {send: log, template: hello, then: rest}
  letter: {send: log, template: hello, then: more}
  more: {send: log, template: again, then: rest}
  rest: {wait: 3d}
  last: {send: log, template: again}
"""


class Run(NamedTuple):
    """A replay of the flow."""

    out: Path
    flow: dict[str, Any]
    text: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Replay a flow with a split over users of whom every fourth buys."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "messages").mkdir()
    for name in ("hello", "again"):
        (folder / "messages" / f"{name}.liquid").write_text("Hello!\n")
    (folder / "space.yaml").write_text((kit.HERE / "flows" / "space.yaml").read_text())
    (folder / "trial.yaml").write_text(FLOW)
    found = [kit.life(f"u{n}", 10 * n, n % 7, 1 if n % 4 == 0 else None) for n in range(USERS)]
    events = kit.write_lines(folder / "events.jsonl", [r for user in found for r in user])
    more, flow = ["--shards", 1], str(folder / "trial.yaml")
    text = kit.replay(folder / "autumn", events, flow=flow, more=more).out
    report = json.loads(
        kit.replay(folder / "autumn", events, flow=flow, more=[*more, "--json"]).out
    )
    return Run(folder / "autumn", report["flows"][0], text)


def test_steps_say_where_their_sessions_came_from(run: Run) -> None:
    """Each step counts its arrivals by the step before; the text has them as shares."""
    steps = {step["step"]: step for step in run.flow["steps"]}
    short, long = steps["brief"]["reached"], steps["letter"]["reached"]

    assert steps["which"]["sources"] == {"": USERS}
    assert steps["brief"]["sources"] == {"which": short}
    assert steps["rest"]["sources"] == {"brief": short, "more": long}
    assert short + long == USERS
    table = run.text.split("\n\n")[2]
    lines = {line.split()[0]: line for line in table.splitlines()}
    assert lines["which"].endswith("100% of entries")
    assert lines["letter"].endswith(f"{percent(long / USERS)} of which")
    assert {"100% of brief", "100% of more"} == set(re.findall(r"100% of \w+", lines["rest"]))


def test_variants_are_side_by_side(run: Run) -> None:
    """Each variant has its sessions, messages and goals, as the rows say."""
    (split,) = run.flow["splits"]
    rows = [r for r in kit.rows(run.out, "transition") if r["variant"]]
    assigned = {row["session"]: row["variant"] for row in rows}
    sent = Counter(assigned[row["session"]] for row in kit.rows(run.out, "message"))
    reached = Counter(v for row in kit.rows(run.out, "conversion") for v in row["variants"])

    assert split["step"] == "which"
    assert {v["variant"] for v in split["variants"]} == {"short", "long"}
    for variant in split["variants"]:
        name = f"which={variant['variant']}"
        assert variant["sessions"] == list(assigned.values()).count(name)
        assert variant["messages"] == sent[name]
        assert variant["goals"] == variant["goal_users"] == {"bought": reached[name]}
        share = f"{variant['goals']['bought'] / variant['sessions']:.1%}"
        assert re.search(rf"{variant['variant']} .*{share}", run.text)
    assert sum(reached.values()) == USERS // 4


def test_conversions_count_sessions_and_users(tmp_path: Path) -> None:
    """A user who converts in two sessions is two conversions and one converted user."""
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / "hello.liquid").write_text("Hello!\n")
    (tmp_path / "space.yaml").write_text((kit.HERE / "flows" / "space.yaml").read_text())
    (tmp_path / "twice.yaml").write_text(
        "flow: twice\nenter: [{event: Signup}]\nholdout: 20%\n"
        "goals:\n  bought: {event: Purchase, within: 3d}\n"
        "steps:\n  hello: {send: log, template: hello}\n"
    )
    lives = [kit.life(f"u{n}", 100 * n + 20 * k, 7 * k, 1) for n in range(30) for k in range(n % 3)]
    events = kit.write_lines(tmp_path / "events.jsonl", [r for life in lives for r in life])
    more, flow, out = ["--shards", 1], str(tmp_path / "twice.yaml"), tmp_path / "out"
    text = kit.replay(out, events, flow=flow, more=more).out
    report = json.loads(kit.replay(out, events, flow=flow, more=[*more, "--json"]).out)
    (found,) = report["flows"]
    (goal,) = found["goals"]
    rows = [row for row in kit.rows(out, "conversion") if not row["silent"]]
    users = {row["user"] for row in rows}

    assert (goal["converted"], goal["users"]) == (len(rows), len(users))
    assert goal["converted"] > goal["users"] > 0 < goal["holdout_users"]
    assert goal["user_rate"] == goal["users"] / found["treated"] == 1
    assert f"{len(users)} of {found['treated']} users, 100.0%" in text
    assert f"{len(users)} users" in (out / "funnel.svg").read_text()
    assert sum(row["first_conversion"] for row in rows) == len(users)
    days = [m for m in kit.rows(out, "flow_metric") if m["window"] == "day"]
    for metric, count in (("goals", len(rows)), ("first_goals", len(users))):
        assert sum(m["value"] for m in days if m["metric"] == metric) == count
    queried = kit.towpath("query", out, "select count(*) from conversion where first_conversion")
    assert str(len(users) + goal["holdout_users"]) in queried.out
    compared = kit.towpath("diff", out, out, "--json").out
    (both,) = json.loads(compared)["flows"][0]["goals"]
    assert both["sessions"]["before"] == len(rows)
    assert both["users"]["before"] == len(users)


def test_the_funnel_draws_branches_on_one_scale(run: Run) -> None:
    """Steps of a branch are indented, joined ones are not; the title has the run and full dates."""
    svg = (run.out / "funnel.svg").read_text()
    ET.fromstring(svg)
    places = {
        word: float(x) for x, word in re.findall(r'<text class="ink" x="([\d.]+)"[^>]*>(\w+)<', svg)
    }

    assert "Funnel by flow: autumn" in svg
    assert "entries from 2024-01-01 to 2024-01-07, replayed until 2024-02-01" in svg
    assert places["brief"] == places["letter"] == places["more"] > places["which"]
    assert places["rest"] == places["last"] == places["which"]
    assert "which: bought by variant" in svg
    assert [f">{tick}%<" in svg for tick in (0, 25, 50, 75, 100)] == [True] * 5


def test_a_loop_widens_the_scale() -> None:
    """A step that is reached more often than the flow was entered fits on the scale of all flows."""
    steps = tuple(Step(name, n, 10, 0, 0, {}) for name, n in (("ask", 10), ("again", 25)))
    flow = Flow("loop", 10, 10, 0, 0, 0, 0, 0, 0, steps, {}, {}, {}, ())
    svg = funnel(Report(0, 10, 10, 0, 0, 0, None, (flow,)))
    widths = [float(w) for w in re.findall(r'<rect class="whole" [^>]*width="([\d.]+)"', svg)]

    assert ">300%<" in svg
    assert widths[-1] == pytest.approx(2.5 * widths[-2], abs=0.1)


def test_the_weeks_have_full_years() -> None:
    """Also a period of a few weeks shows its year, at the turn of the year both."""
    day = 86_400_000
    monday = 1_703_462_400_000  # 2023-12-25
    weeks = [Week("welcome", monday + 7 * n * day, 3, 1) for n in range(3)]
    svg = weekly(weeks, "autumn")

    assert "Messages and goals by week: autumn" in svg
    assert ">2023<" in svg
    assert ">2024<" in svg
    assert "Dec 25" in svg


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0%"), (0.001, "<1%"), (0.5, "50%"), (0.996, ">99%"), (1.0, "100%"), (1.5, "150%")],
)
def test_shares_are_not_rounded_to_all_or_nothing(share: float, text: str) -> None:
    """Few are not none, and most are not all."""
    assert percent(share) == text
