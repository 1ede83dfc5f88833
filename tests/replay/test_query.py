"""SQL over results: views for every kind, ``results.duckdb``, and ``towpath query``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import schemas
from tests.replay import kit
from tests.replay.kit import START, Done
from towpath.reports.views import DATABASE, EXAMPLES, RENAMED, open_views, views_of
from transforms.flows.protocol.outputs import FromSession
from transforms.wire.rows import TYPES

Whole = tuple[Done, Path]
FEW = ["--shards", 1]
WAITING = "select flow, step, count(*) as n from sessions where ended_at is null group by all"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Write three signups."""
    found = [r for n in range(3) for r in kit.life(f"u{n}", 10 * n)]
    return kit.write_lines(tmp_path / "events.jsonl", found)


def test_every_kind_has_a_view_and_no_column_needs_quotes(full_replay: Whole) -> None:
    """Each view, also of an empty kind, can be read with its columns written without quotes."""
    _, out = full_replay
    names = {view.view for view in views_of(out)}
    assert names >= set(schemas.OUTPUTS)
    assert {"sessions", "flow_metric_day", "step_metric_minute"} <= names

    with open_views(out) as database:
        keywords = database.execute(
            "select keyword_name from duckdb_keywords() where keyword_category <> 'unreserved'"
        ).fetchall()
        for view in views_of(out):
            assert not {(column,) for column in view.columns} & set(keywords)
            found = database.execute(f"select {', '.join(view.columns)} from {view.view} limit 0")
            assert tuple(column[0] for column in found.description or ()) == view.columns
            described = database.execute(f"describe {view.view}").fetchall()
            assert tuple(row[0] for row in described) == view.columns


def test_every_table_of_sessions_says_whether_they_are_in_a_holdout(full_replay: Whole) -> None:
    """Each kind of output that belongs to a session has the column ``in_holdout``."""
    columns = {view.view: view.columns for view in views_of(full_replay[1])}
    kinds = [kind for kind, type_ in TYPES.items() if issubclass(type_, FromSession)]

    assert len(kinds) == 7
    assert all("in_holdout" in columns[kind] for kind in [*kinds, "sessions"])


def test_the_holdout_has_rows_but_no_messages(full_replay: Whole) -> None:
    """Communications of the holdout are suppressed, and marked."""
    with open_views(full_replay[1]) as database:
        reasons = database.execute("select distinct reason from communication where in_holdout")
        assert reasons.fetchall() == [("holdout",)]
        sessions = database.execute("select count(*) from sessions where in_holdout").fetchone()
        entered = database.execute(
            "select count(*) from transition where what = 'entered' and in_holdout"
        ).fetchone()
        assert sessions == entered != (0,)


def test_where_everybody_waits_is_one_query(full_replay: Whole) -> None:
    """The newest row of each session, by sequence, is where it is; the report counts the same."""
    _, out = full_replay
    newest = """
        select flow, step, count(*) from (
            select * from transition
            qualify row_number() over (partition by session order by sequence desc) = 1)
        where what = 'waiting' group by all order by all"""
    with open_views(out) as database:
        found = database.execute(newest).fetchall()
        assert found == database.execute(f"{WAITING} order by all").fetchall() != []
        orders = database.execute(
            "select count(*), count(distinct (user_id, sequence)) from transition"
        ).fetchone()
    assert orders is not None
    assert orders[0] == orders[1]


def test_the_database_opens_with_duckdb_alone(full_replay: Whole) -> None:
    """``results.duckdb`` has the same views, with comments, from any working directory."""
    _, out = full_replay
    query = f"""
        import duckdb
        database = duckdb.connect({str(out / DATABASE)!r}, read_only=True)
        print(database.execute("select count(*) from message").fetchone()[0])
        print(database.execute("select count(*) from erased").fetchone()[0])
        print(database.execute("select comment from duckdb_views() where view_name = 'sessions'").fetchone()[0])
    """
    code = "\n".join(line.strip() for line in query.splitlines())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")

    sent, erased, about = done.stdout.splitlines()
    assert (int(sent), int(erased)) == (len(kit.rows(out, "message")), 0)
    assert about.startswith("One row per session")


def test_columns_of_one_name_are_numbered_in_json(full_replay: Whole) -> None:
    """JSON has every column, also of the same name."""
    done = kit.towpath("query", full_replay[1], "select 1 as a, 2 as a, 3 as b", "--json")

    assert done.out == '{"a":1,"a_2":2,"b":3}\n'


def test_query_prints_a_table_or_json(full_replay: Whole) -> None:
    """Columns are aligned, numbers to the right; as JSON there is an object per row."""
    _, out = full_replay
    sql = "select step, count(*) as n, min(happened_at) as first from message group by all"
    table = kit.towpath("query", out, f"{sql} order by all")
    rows = [json.loads(line) for line in kit.towpath("query", out, sql, "--json").out.splitlines()]

    assert table.out.splitlines()[0].split() == ["step", "n", "first"]
    assert table.err == f"{len(rows)} rows\n"
    assert {row["step"] for row in rows} >= {"hello"}
    assert all(row["first"].startswith("2024-01-") and row["first"].endswith("Z") for row in rows)


def test_query_lists_the_views_with_examples_that_run(full_replay: Whole) -> None:
    """Without SQL the views are listed, and each example gives rows or an empty table."""
    _, out = full_replay
    found = kit.towpath("query", out).out
    listed = [json.loads(line) for line in kit.towpath("query", out, "--json").out.splitlines()]

    assert [view["view"] for view in listed] == [view.view for view in views_of(out)]
    for question, sql in EXAMPLES:
        assert question in found
        assert f'"{sql}"' in found
        assert kit.towpath("query", out, sql).code == 0


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("selec 1", "syntax error"),
        ("", "the query is empty"),
        ("-- nothing", "the query is empty"),
        ("select nothing from message", "nothing"),
        ("select * from messages", "message"),
    ],
)
def test_a_wrong_query_is_a_user_error(sql: str, said: str, full_replay: Whole) -> None:
    """DuckDB's message is shown, and where the views are listed."""
    done = kit.towpath("query", full_replay[1], sql)

    assert done.code == 2
    assert said in done.err
    assert "lists the views" in done.err


def test_query_needs_results(tmp_path: Path) -> None:
    """A folder without results is refused."""
    done = kit.towpath("query", tmp_path, "select 1")

    assert (done.code, "not the results folder of a replay" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["it's [a] *", 'say "$HOME"', "tick`"])
def test_the_printed_command_runs(name: str, events: Path, tmp_path: Path) -> None:
    """The command at the end of a replay runs as printed, whatever the name of the folder."""
    done = kit.replay(tmp_path / name, events, more=FEW)
    command = done.err.split("Query them with SQL: ")[1].splitlines()[0]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        command, shell=True, capture_output=True, text=True, env=os.environ | {"PATH": path}
    )

    assert ran.returncode == 0, ran.stderr
    assert "Where does everybody wait now?" in ran.stdout


def test_a_folder_that_moved_is_read_and_refreshed(events: Path, tmp_path: Path) -> None:
    """``query`` reads the folder wherever it is; ``--refresh`` corrects the paths in the database."""
    kit.replay(tmp_path / "here", events, more=FEW)
    there = tmp_path / "there"
    shutil.move(tmp_path / "here", there)
    assert kit.towpath("query", there, WAITING).code == 0
    count = "select count(*) from message"
    with (
        duckdb.connect(str(there / DATABASE), read_only=True) as database,
        pytest.raises(duckdb.Error),
    ):
        database.execute(count)

    assert kit.towpath("query", there, "--refresh").code == 0
    with duckdb.connect(str(there / DATABASE), read_only=True) as database:
        assert database.execute(count).fetchone() != (0,)
    assert sorted(path.name for path in there.glob(".*")) == []


def test_without_rows_every_view_is_empty(tmp_path: Path) -> None:
    """A replay without any row has all views, with their types."""
    unread = kit.write_lines(tmp_path / "e.jsonl", [kit.track(1, "u", "Unknown", START)])
    kit.replay(tmp_path / "out", unread, more=FEW)

    with open_views(tmp_path / "out") as database:
        for view in views_of(tmp_path / "out"):
            assert database.execute(f"select * from {view.view}").fetchall() == []
        types = dict(r[:2] for r in database.execute("describe transition").fetchall())
    assert (types[RENAMED["at"]], types["sequence"]) == ("TIMESTAMP", "BIGINT")
