"""The page of ``towpath report``: it requests nothing, escapes names, and says what is missing."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from tests.kit import charting_library
from tests.replay import kit
from tests.replay.kit import DAY, START
from tests.report.kit import Page, report, stream_tables
from towpath.reports.html import page as page_module
from towpath.reports.html.numbers import Numbers
from towpath.reports.html.page import page_of

HOSTILE = """</script><script>alert("1")</script>'"<!--&amp; {{x}} ' + alert(2) + '"""
USERS = 40


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Replay 40 users; every second one buys."""
    folder = tmp_path_factory.mktemp("report")
    lives = [kit.life(f"key-{n}", 10 * n, n % 20, 2 if n % 2 else None) for n in range(USERS)]
    events = kit.write_lines(folder / "events.jsonl", [r for life in lives for r in life])
    done = kit.replay(folder / "out", events, more=["--shards", 1])
    assert done.code == 0, done.err
    return folder / "out"


@pytest.fixture
def numbers(out: Path) -> Numbers:
    """Compute the numbers of the page."""
    return msgspec.json.decode(report(out, "--json").out, type=Numbers)


def test_the_page_requests_nothing(numbers: Numbers) -> None:
    """No element names another file, the policy forbids requests, and only known scripts run."""
    page = Page(page_of(numbers))
    named = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action", "poster", "background")
    ]
    (policy,) = [a["content"] or "" for t, a in page.elements if a.get("http-equiv")]
    hashes = {b64encode(sha256(text.encode()).digest()).decode() for text in page.scripts}

    assert named == ["data:,"]
    assert not re.search(r"url\(|@import", "".join(page.styles))
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == hashes
    assert "unsafe-inline" not in policy.partition("script-src")[2]
    assert len(page.scripts) == 3


def test_names_are_escaped(numbers: Numbers) -> None:
    """Names of flows, steps, goals, variants, channels and reasons never become markup."""
    plain = Page(page_of(numbers))
    text = msgspec.json.encode(numbers).decode()
    for name in ("welcome", "hello", "bought", "log", "holdout", numbers.name):
        text = text.replace(json.dumps(name), json.dumps(name + HOSTILE))
    found = msgspec.json.decode(text.replace('"holdout' + json.dumps(HOSTILE)[1:] + ":", '"holdout":'),
                                type=Numbers)  # fmt: skip
    page = Page(page_of(found))

    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert page.scripts == plain.scripts
    assert f"welcome{HOSTILE}" in page.headings
    assert f"hello{HOSTILE}" in page.table(f"welcome{HOSTILE}", "Funnel by step")
    steps = {row.get("step") for chart in page.charts for row in chart["data"]["values"]}
    assert f"hello{HOSTILE}" in steps


def test_every_chart_has_its_table(numbers: Numbers) -> None:
    """A reader who sees no chart finds its numbers in a table, and its title in a label."""
    page = Page(page_of(numbers))
    labels = [a["aria-label"] or "" for _, a in page.elements if a.get("class") == "chart"]

    assert labels
    for label in labels:
        title = label.removeprefix("Chart: ").removesuffix(". The table has its numbers.")
        assert any(found == title and len(rows) > 1 for (_, found), rows in page.tables.items())


def test_what_there_is_nothing_of_is_said(tmp_path: Path) -> None:
    """A flow without entries has sentences instead of empty charts."""
    events = kit.write_lines(tmp_path / "events.jsonl", [kit.track(1, "a", "Purchase", START)])
    kit.replay(tmp_path / "out", events, more=["--shards", 1])
    page = Page(page_of(msgspec.json.decode(report(tmp_path / "out", "--json").out, type=Numbers)))

    assert page.charts == []
    assert "No sessions entered." in page.text
    assert "No messages." in page.text


def test_a_stream_has_the_numbers_of_the_replay(out: Path, tmp_path: Path) -> None:
    """From a streaming job's tables come the same numbers, also if rows are doubled."""
    stream_tables(out, tmp_path / "tables", "shop", times=2)
    streamed = json.loads(report(tmp_path / "tables", "--json").out)
    replayed = json.loads(report(out, "--json").out)

    assert streamed["streamed"]
    assert not replayed["streamed"]
    for ours, theirs in zip(streamed["flows"], replayed["flows"], strict=True):
        assert ours["report"]["goals"][0].pop("lift")  # sent messages have an effect
        theirs["report"]["goals"][0].pop("lift")
        for goal in (ours["report"]["goals"][0], theirs["report"]["goals"][0]):
            for back_test in ("baseline", "baseline_users", "detectable"):
                goal.pop(back_test)
        steps = [found["report"].pop("steps") for found in (ours, theirs)]
        assert {s["step"]: s for s in steps[0]} == {s["step"]: s for s in steps[1]}
        assert [s["step"] for s in steps[0]][:2] == ["hello", "seen"]
        assert sum(sum(w["ages"]) for w in ours.pop("waits")) == ours["report"]["waiting"]
        theirs.pop("waits")
        last = [found.pop("cohorts") for found in (ours, theirs)]
        assert [c["entries"] for c in last[0]] == [c["entries"] for c in last[1]]
        assert ours == theirs


def test_the_page_is_beside_the_results(out: Path) -> None:
    """The page is written into the folder of the results, also if their database is given."""
    done = report(out / "results.duckdb")

    assert (done.code, done.out) == (0, f"{out / 'report.html'}\n")
    assert (out / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert "key-1" not in (out / "report.html").read_text("utf-8")


def test_one_flow_may_be_chosen(out: Path) -> None:
    """--flow leaves the others out; an unknown one is refused with the names that there are."""
    (flow,) = json.loads(report(out, "--flow", "welcome", "--json").out)["flows"]
    unknown = report(out, "--flow", "welcom")

    assert flow["report"]["entered"] == USERS
    assert (unknown.code, unknown.out) == (2, "")
    assert 'no flow "welcom" in these results; there are welcome' in unknown.err


def test_other_folders_are_refused(tmp_path: Path) -> None:
    """A folder without results, and one that does not exist, give an error in words."""
    for folder, words in (
        (tmp_path, "neither the results folder"),
        (tmp_path / "x", "no such folder"),
    ):
        done = report(folder)
        assert (done.code, done.out) == (2, "")
        assert words in done.err


def test_weeks_without_anything_are_zero(tmp_path: Path) -> None:
    """Between the first and the last week none is missing."""
    lives = [*kit.life("a", 1), *kit.life("b", 10, 21)]
    events = kit.write_lines(tmp_path / "events.jsonl", lives)
    kit.replay(tmp_path / "out", events, more=["--shards", 1])
    (flow,) = json.loads(report(tmp_path / "out", "--json").out)["flows"]
    starts = [week["start"] for week in flow["weeks"]]

    assert {b - a for a, b in pairwise(starts)} == {7 * DAY}
    assert [week["entries"] for week in flow["weeks"]] == [1, 0, 0, 1]


def test_a_changed_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that is not the one of the lock file does not get into a page."""
    page_module._library.cache_clear()
    monkeypatch.setattr(page_module, "_hash", lambda text: "another")
    with pytest.raises(ValueError, match="vega: not the script"):
        page_module._library("vega")
    page_module._library.cache_clear()


def test_every_package_of_the_library_has_its_licence() -> None:
    """The licences name every package of the lock file that is in the scripts, with its version."""
    lock = json.loads((charting_library.LIBRARY / "package-lock.json").read_text("utf-8"))
    licences = (charting_library.LIBRARY / "LICENSES.txt").read_text("utf-8")
    packages = {path: found for path, found in lock["packages"].items() if path}
    scripts = {
        f"{path.rpartition('node_modules/')[2]} {found['version']}"
        for path, found in packages.items()
        if path.rpartition("node_modules/")[2].startswith(("vega", "d3-", "topojson", "delaunator"))
    }
    named = {name for line in licences.splitlines() for name in line.split(", ")}

    assert all(found["integrity"].startswith("sha512-") for found in packages.values())
    assert {name.split()[0] for name in scripts - named} == {"vega-typings"}


def test_a_merged_user_converts_once(tmp_path: Path) -> None:
    """Two conversions of one user, under two keys after a merge, are one converted user."""
    lives = [
        r for n in range(9) for k in (0, 1) for r in kit.life(f"u{n}", 99 * n + 9 * k, 14 * k, 1)
    ]
    kit.replay(tmp_path / "out", kit.write_lines(tmp_path / "e.jsonl", lives), more=["--shards", 1])
    found = []
    for other_keys in (False, True):
        tables = tmp_path / str(other_keys)
        stream_tables(tmp_path / "out", tables, "shop", other_keys=other_keys)
        (flow,) = json.loads(report(tables, "--json").out)["flows"]
        found.append(flow["report"]["goals"][0])

    assert found[0] == found[1]
    assert found[0]["converted"] == 2 * found[0]["users"] > 0
