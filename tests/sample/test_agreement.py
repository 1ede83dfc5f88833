"""Compares the replay of the sample with a calculation that does not use the core."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from pipelines.replay.results import account
from tests.docs.reader import sample_run
from tests.replay.kit import towpath
from tests.sample import oracle, rows
from towpath.reports.funnel import report_of
from transforms.wire.mapped import numbered, row_hash

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "towpath" / "sample_data" / "cdnow_purchases.csv.gz"
UNTIL = "1998-07-01"
KINDS = ("transition", "message", "communication", "conversion", "rejection")
pytestmark = pytest.mark.xdist_group("sample")

Users = dict[str, list[oracle.Purchase]]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Run ``make run`` once for all tests; return its folder, and its report as JSON."""
    _, folder = sample_run(tmp_path_factory.getbasetemp())
    return folder, json.loads(msgspec.json.encode(report_of(account(folder), folder)))


@pytest.fixture(scope="module")
def out(replayed: tuple[Path, dict[str, Any]]) -> Path:
    """Return the folder of the run."""
    return replayed[0]


@pytest.fixture(scope="module")
def users() -> Users:
    """Read the purchases without the core; only the ids that order equal times are the reader's."""
    return oracle.load(SAMPLE, oracle.millis(UNTIL), lambda row, k: numbered(row_hash(row), k + 1))


def written(out: Path) -> list[dict[str, Any]]:
    """Read the rows of a run, with their kinds."""
    found: list[dict[str, Any]] = []
    for kind in KINDS:
        query = f"""select * replace (epoch_ms("at") as "at") from '{out}/{kind}/*/*.parquet'"""
        table = duckdb.sql(query).to_arrow_table()
        found += [row | {"is": kind} for row in table.to_pylist()]
    return found


def test_every_row_agrees(out: Path, users: Users) -> None:
    """Entries, steps, messages, ends, goals and refusals are exactly those of the brute force."""
    expected: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for found in oracle.follow(users, oracle.millis(UNTIL)).values():
        for kind, facts in oracle.facts(found).items():
            expected[kind] |= facts
    told = rows.facts(written(out))

    assert {kind: len(facts) for kind, facts in told.items()} == {
        kind: len(facts) for kind, facts in expected.items()
    }
    for kind, facts in expected.items():
        assert told[kind] == facts, kind


def test_every_number_agrees(replayed: tuple[Path, dict[str, Any]], users: Users) -> None:
    """The numbers of the funnel are those of the brute force: the report loses nothing."""
    told = {flow["flow"]: flow for flow in replayed[1]["flows"]}
    for name, found in oracle.follow(users, oracle.millis(UNTIL)).items():
        expected: dict[str, Any] = oracle.totals(name, found)
        flow = told[name]
        steps = flow["steps"]
        goal = flow["goals"][0]
        treated, silent = expected["treated"], expected["silent"]

        assert (flow["entered"], flow["holdout"]) == (expected["entered"], expected["holdout"])
        assert {s["step"]: s["reached"] for s in steps} == expected["reached"]
        assert {s["step"]: s["messages"] for s in steps if s["messages"]} == expected["messages"]
        assert {s["step"]: s["waiting"] for s in steps if s["waiting"]} == expected["waiting"]
        assert flow["exits"] == expected["ended"]
        assert flow["refused"] == expected["refused"]
        assert goal["converted"] == treated["conversions"]
        assert round(goal["revenue"] * 100) == treated["revenue"]
        assert goal["holdout_converted"] == silent["conversions"]
        assert round(goal["holdout_revenue"] * 100) == silent["revenue"]


@pytest.fixture(scope="module")
def drawn(users: Users) -> list[str]:
    """Choose 200 random users by a seed."""
    return random.Random(4).sample(sorted(users), 200)


@pytest.fixture(scope="module")
def explained(out: Path, drawn: list[str]) -> dict[str, dict[str, Any]]:
    """Run explain for each of the users."""
    return {
        user: json.loads(towpath("explain", user, "--out", out, "--json").out) for user in drawn
    }


def test_explain_shows_when_and_why(users: Users, explained: dict[str, dict[str, Any]]) -> None:
    """For 200 users, explain shows each message as decided or not, when and why, as calculated."""
    for user, told in explained.items():
        entries = {
            (e["at"], e["flow"], e.get("step", ""), e["what"], e.get("reason", ""))
            for e in told["entries"]
            if e["what"] in ("decided", "withheld", "missed", "refused")
        }
        waiting = {(p["flow"], send) for p in told["pending"] for send in p["sends"]}
        for verdict in oracle.explain(user, users[user], oracle.millis(UNTIL)):
            case = (user, verdict)
            match verdict.verdict:
                case "no_entry":
                    assert verdict.flow in told["never"], case
                case "pending":
                    assert (verdict.flow, verdict.step) in waiting, case
                case "refused":
                    assert (verdict.time, verdict.flow, "", "refused", verdict.reason) in entries
                case what:
                    place = (verdict.time, verdict.flow, verdict.step, what, verdict.reason)
                    assert place in entries, case


def test_explain_shows_nothing_else(users: Users, explained: dict[str, dict[str, Any]]) -> None:
    """For 200 users, explain shows no message that was not decided, and no other refusal."""
    for user, told in explained.items():
        expected = {
            (v.time, v.flow, v.step, v.verdict)
            for v in oracle.explain(user, users[user], oracle.millis(UNTIL))
        }
        for entry in told["entries"]:
            if entry["what"] in ("decided", "withheld", "refused"):
                step = "" if entry["what"] == "refused" else entry["step"]
                assert (entry["at"], entry["flow"], step, entry["what"]) in expected, (user, entry)
