"""``towpath diff``: the users to whom a changed flow does something else."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.replay import kit
from tests.replay.kit import Done

FEW = ["--shards", 1]
USERS = 60


class Runs(NamedTuple):
    """The results of the flow as it was, and of each change to it."""

    before: Path
    narrower: Path
    sooner: Path
    other: Path


def changed(folder: Path, name: str, old: str, new: str) -> str:
    """Copy the flow and change its text; return its path."""
    place = folder / f"flows_{name}"
    shutil.copytree(kit.HERE / "flows", place)
    flow = place / "welcome.yaml"
    text = flow.read_text()
    assert old in text
    flow.write_text(text.replace(old, new))
    return str(flow)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write users of two plans, of whom some buy after one, two or four days."""
    found = []
    for n in range(USERS):
        records = kit.life(f"u{n:02}", 10 * n, n % 5, (None, 1, 2, 4)[n % 4])
        records[0]["properties"] = {"plan": "free" if n % 3 else "pro"}
        found += records
    return kit.write_lines(tmp_path_factory.mktemp("events") / "events.jsonl", found)


@pytest.fixture(scope="module")
def runs(events: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Replay the flow and its changes."""
    folder = tmp_path_factory.mktemp("runs")
    changes = {
        "narrower": ("- event: Signup", '- {event: Signup, where: event.plan == "pro"}'),
        "sooner": ("{after: 3d, then: again}", "{after: 2d, then: again}"),
        "other": ("template: again", "template: hello"),
    }
    flows = {"before": kit.WELCOME}
    flows |= {name: changed(folder, name, *change) for name, change in changes.items()}
    for name, flow in flows.items():
        done = kit.replay(folder / name, events, flow=flow, more=FEW)
        assert done.code == 0, done.err
    return Runs(*(folder / name for name in flows))


def counts(before: Path, after: Path) -> dict[str, dict[str, float]]:
    """Return the counts of the flow welcome, as JSON gives them."""
    found = json.loads(kit.towpath("diff", before, after, "--json").out)
    (flow,) = (flow for flow in found["flows"] if flow["flow"] == "welcome")
    goal = {"goal": flow["goals"][0]["users"]}
    return {name: flow[name] for name in ("sessions", "entered", "messages", "recipients")} | goal


def users(before: Path, after: Path) -> list[dict[str, str | int]]:
    """Return the users to whom something else happens."""
    lines = kit.towpath("diff", before, after, "--users", "--json").out.splitlines()
    return [json.loads(line) for line in lines]


def test_a_replay_does_not_differ_from_itself(runs: Runs) -> None:
    """The same results twice have no difference."""
    done = kit.towpath("diff", runs.before, runs.before)

    assert (done.code, users(runs.before, runs.before)) == (0, [])
    assert f"welcome  no difference: {USERS} sessions of {USERS} users" in done.out


def test_who_would_enter(runs: Runs) -> None:
    """A narrower trigger lets fewer users enter; each of them is named."""
    pro = {f"u{n:02}" for n in range(USERS) if n % 3 == 0}
    entered = counts(runs.before, runs.narrower)["entered"]
    found = {one["user"] for one in users(runs.before, runs.narrower) if one["what"] == "entries"}

    assert entered == {"before": USERS, "after": len(pro), "only_before": USERS - len(pro),
                       "only_after": 0, "other": 0, "moved": 0}  # fmt: skip
    assert found == {f"u{n:02}" for n in range(USERS)} - pro
    back = counts(runs.narrower, runs.before)["entered"]
    assert (back["only_before"], back["only_after"]) == (0, USERS - len(pro))


def test_who_would_get_other_messages(runs: Runs) -> None:
    """An earlier reminder has another time, or is another message for those who buy in between."""
    found = counts(runs.before, runs.sooner)
    rows = {
        side: kit.rows(out, "message")
        for side, out in zip("ba", (runs.before, runs.sooner), strict=True)
    }
    mine = {
        side: {
            user: sorted((r["template"], r["at"]) for r in rows[side] if r["user"] == user)
            for user in {r["user"] for r in rows[side]}
        }
        for side in "ba"
    }
    both = mine["b"].keys() & mine["a"].keys()
    other = {u for u in both if [t for t, _ in mine["b"][u]] != [t for t, _ in mine["a"][u]]}
    moved = {u for u in both - other if mine["b"][u] != mine["a"][u]}

    assert (found["recipients"]["other"], found["recipients"]["moved"]) == (len(other), len(moved))
    assert other
    assert moved
    named = users(runs.before, runs.sooner)
    assert {one["user"] for one in named if one["what"] == "messages"} == other
    assert {one["user"] for one in named if one["what"] == "times"} == moved
    assert found["entered"]["only_before"] == found["entered"]["only_after"] == 0


def test_users_are_listed_with_what_changes(runs: Runs) -> None:
    """The list of users says whether messages change in number, in kind, or in time only."""
    said = kit.towpath("diff", runs.before, runs.sooner, "--users").out
    lines = {line.split()[1]: line.split("  ", 2)[2] for line in said.splitlines()}
    for one in users(runs.before, runs.sooner):
        count, sign = one["after"], one["before"] != one["after"]
        if one["what"] == "times":
            assert lines[str(one["user"])] == f"messages: {count}, at other times"
        elif one["what"] == "messages":
            other = (
                f"messages: {one['before']} → {count}" if sign else f"messages: {count}, other ones"
            )
            assert lines[str(one["user"])] == other


def test_another_template_is_another_message(runs: Runs) -> None:
    """A message at the same time with another template is another one."""
    found = counts(runs.before, runs.other)

    assert found["messages"]["before"] == found["messages"]["after"]
    assert found["recipients"]["other"] > 0 == found["recipients"]["moved"]


def test_who_would_reach_the_goal(runs: Runs) -> None:
    """Users who do not enter do not reach the goal; the holdout is left out."""
    found = counts(runs.before, runs.narrower)["goal"]
    reached = {r["user"] for r in kit.rows(runs.before, "conversion") if not r["silent"]}
    kept = {r["user"] for r in kit.rows(runs.narrower, "conversion") if not r["silent"]}

    assert (found["before"], found["after"]) == (len(reached), len(kept))
    assert found["only_before"] == len(reached - kept) > 0


def test_the_table_shows_counts_and_changes(runs: Runs) -> None:
    """The table has a line per count, with its change."""
    done = kit.towpath("diff", runs.before, runs.narrower)
    lines = {line[:26].strip(): line.split() for line in done.out.splitlines()}

    assert "sessions" in lines
    assert lines["users who enter"][3:] == ["60", "20", "-40", "40", "."]
    assert "Nothing was sent" in done.err


def test_the_picture(runs: Runs, tmp_path: Path) -> None:
    """``--svg`` draws one bar per question, with the counts of both replays."""
    file = tmp_path / "diff.svg"
    kit.towpath("diff", runs.before, runs.narrower, "--svg", file)
    svg = file.read_text(encoding="utf-8")

    ET.fromstring(svg)
    assert "60 → 20" in svg
    assert "enter: 40 only before" in svg
    assert "reach bought" in svg


def test_doubtful_comparisons_are_named(runs: Runs, events: Path, tmp_path: Path) -> None:
    """Other events, another end or other assumptions are said."""
    half = tmp_path / "half.jsonl"
    half.write_text("".join(events.read_text().splitlines(keepends=True)[:50]))
    kit.replay(tmp_path / "out", half, more=[*FEW, "--audit"])
    done = kit.towpath("diff", runs.before, tmp_path / "out")

    assert done.code == 0
    assert "read different events" in done.err
    assert "audit replay" in done.err


@pytest.mark.parametrize("which", [0, 1])
def test_both_must_be_results(which: int, runs: Runs, tmp_path: Path) -> None:
    """A folder that has no results is refused, whichever it is."""
    places = [runs.before, runs.before]
    places[which] = tmp_path
    done: Done = kit.towpath("diff", *places)

    assert (done.code, "not the results folder" in done.err) == (2, True)


@pytest.mark.parametrize("which", [0, 1])
def test_damaged_results_are_named(which: int, runs: Runs, tmp_path: Path) -> None:
    """If a table cannot be read, the message names its folder, whichever it is."""
    shutil.copytree(runs.before, tmp_path / "torn")
    for path in (tmp_path / "torn" / "transition").rglob("*.parquet"):
        path.write_bytes(b"torn")
    places = [runs.before, runs.before]
    places[which] = tmp_path / "torn"
    done = kit.towpath("diff", *places)

    assert (done.code, f"{tmp_path / 'torn'}: the results are damaged" in done.err) == (1, True)
    assert kit.towpath("query", tmp_path / "torn", "select 1").code == 1


def test_a_flow_that_only_one_replay_has(runs: Runs, events: Path, tmp_path: Path) -> None:
    """A flow of one replay is compared with nothing."""
    named = Path(changed(tmp_path, "named", "flow: welcome", "flow: greet"))
    flow = str(named.rename(named.with_name("greet.yaml")))
    kit.replay(tmp_path / "out", events, flow=flow, more=FEW)
    done = kit.towpath("diff", runs.before, tmp_path / "out")

    assert "greet  only after" in done.out
    assert "welcome  only before" in done.out
