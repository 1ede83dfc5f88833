"""The page of the sample has the numbers of the funnel and of the views."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import vl_convert

from pipelines.replay.results import account
from tests.docs.reader import sample_run
from tests.report.kit import Page, report
from towpath.reports.funnel import Flow, report_of
from towpath.reports.html.numbers import Numbers
from towpath.reports.views import open_views

# The replay of the whole sample is shared with the tests of the docs.
pytestmark = pytest.mark.xdist_group("sample")

LARGEST = 1_500_000


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of ``make run``."""
    return sample_run(tmp_path_factory.getbasetemp())[1]


@pytest.fixture(scope="module")
def text(out: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write the page of the sample."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    done = report(out, "--page", path)
    assert (done.code, done.out) == (0, f"{path}\n")
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    """Read the page."""
    return Page(text)


@pytest.fixture(scope="module")
def flows(out: Path) -> dict[str, Flow]:
    """Compute the funnel."""
    return {flow.flow: flow for flow in report_of(account(out), out).flows}


def counts(table: dict[str, list[str]], column: int) -> dict[str, int]:
    """Read a column of numbers."""
    return {name: int(cells[column].replace(",", "")) for name, cells in table.items()}


def test_tables_have_the_numbers_of_the_funnel(page: Page, flows: dict[str, Flow]) -> None:
    """Steps, ends and what was refused are those of the funnel."""
    assert set(flows) <= set(page.headings)
    for name, flow in flows.items():
        funnel = page.table(name, "Funnel by step")
        assert counts(funnel, 0) == {s.step: s.reached for s in flow.steps}
        assert counts(funnel, 2) == {s.step: s.unique for s in flow.steps}
        assert counts(funnel, 3) == {s.step: s.waiting for s in flow.steps}
        assert counts(funnel, 4) == {s.step: s.messages for s in flow.steps}
        ended = {row[1]: row[2] for row in page.tables[name, "How sessions ended"][1:]}
        assert ended == {r.replace("_", " "): f"{n:,}" for r, n in flow.exits.items()}
        if flow.waiting:
            waits = page.table(name, "Where sessions wait")
            assert counts(waits, 0) == {s.step: s.waiting for s in flow.steps if s.waiting}
        for goal in flow.goals:
            assert f"{goal.converted:,} ({goal.rate:.1%})" in page.text
            assert f"{goal.revenue:,.2f}" in page.text


def test_numbers_are_those_of_the_views(out: Path, flows: dict[str, Flow]) -> None:
    """Weeks, cohorts, waits, variants and channels add up to what SQL over the views says."""
    numbers = msgspec.json.decode(report(out, "--json").out, type=Numbers)
    with open_views(out) as database:

        def asked(query: str, *values: Any) -> Any:
            return database.execute(query, values).fetchall()

        for flow in numbers.flows:
            name = flow.report.flow
            assert flow.report == flows[name]
            sessions = (
                "select count(*), count(*) filter (not in_holdout) from sessions where flow = ?"
            )
            ((entries, treated),) = asked(sessions, name)
            assert sum(week.entries for week in flow.weeks) == entries == flow.report.entered
            assert sum(week.messages for week in flow.weeks) == flow.report.messages
            assert sum(cohort.entries for cohort in flow.cohorts) == treated
            converted = "select count(*) from conversion where flow = ? and not in_holdout"
            ((conversions,),) = asked(converted, name)
            assert sum(week.conversions for week in flow.weeks) == conversions
            assert sum(sum(found.hours.values()) for found in flow.times) == conversions
            assert sum(goal.converted for goal in flow.report.goals) == conversions
            waiting = "select count(*) from sessions where flow = ? and ended_at is null"
            assert [(sum(sum(wait.ages) for wait in flow.waits),)] == asked(waiting, name)
            channels = "select channel, count(*) from message where flow = ? group by all"
            assert [(c.channel, c.messages) for c in flow.channels] == asked(channels, name)
            for channel in flow.channels:
                assert sum(channel.weeks.values()) == channel.messages
            for split in flow.report.splits:
                assert not flow.report.holdout
                shares = {(s.name, s.goal): (s.users, s.converted) for s in flow.splits[split.step]}
                assert shares == {
                    (v.variant, goal): (v.users, n)
                    for v in split.variants
                    for goal, n in v.goal_users.items()
                }


def test_no_user_is_in_the_page(text: str, out: Path) -> None:
    """The page has sums only: no key of a user, no session and no id."""
    with open_views(out) as database:
        ids = database.execute("select session from sessions using sample 500").fetchall()

    assert not [session for (session,) in ids if session in text]
    assert not {"user", "user_id", "session", "id", "key"} & {
        key for chart in Page(text).charts for row in chart["data"]["values"] for key in row
    }


def test_the_page_is_small_and_the_same_each_time(text: str, out: Path, tmp_path: Path) -> None:
    """The page has at most 1.5 MB, and no time of its making."""
    report(out, "--page", tmp_path / "again.html")

    assert len(text.encode()) < LARGEST
    assert (tmp_path / "again.html").read_text("utf-8") == text


def test_the_library_draws_every_chart(page: Page) -> None:
    """Each specification is one that Vega-Lite draws, with a mark for its rows."""
    assert len(page.charts) > 20
    for chart in page.charts:
        drawn = vl_convert.vegalite_to_svg(json.dumps(chart | {"width": 600}), vl_version="6.1")
        assert "mark-" in drawn
        assert "NaN" not in drawn
