"""The dbt project: its tests pass on the whole sample, and would fail on wrong rows."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml

from tests.docs.blocks import Command, blocks, rewritten, tidy
from tests.docs.reader import differs, run_command
from tests.packaging.repository import ROOT
from tests.warehouse.dbt import DATABASE, built, translated
from towpath.reports.lift import Arm, lift
from transforms.sinks.redaction import identifying

pytestmark = pytest.mark.xdist_group("sample")  # shares the replay of the sample

PAGE = ROOT / "docs" / "how-to" / "warehouse.md"
MODELS = ROOT / "infra" / "warehouse" / "models"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the warehouse once."""
    return built(tmp_path_factory.getbasetemp())


def results_of(folder: Path) -> dict[str, list[str]]:
    """Return the states of models and tests of the last run."""
    text = (folder / "build" / "warehouse" / "target" / "run_results.json").read_text()
    found: dict[str, list[str]] = {}
    for result in json.loads(text)["results"]:
        found.setdefault(result["unique_id"].partition(".")[0], []).append(result["status"])
    return found


def test_all_models_are_built_and_all_tests_pass(folder: Path) -> None:
    """``make warehouse`` builds every model and passes every test, none of them empty."""
    found = results_of(folder)

    assert set(found["model"]) == {"success"}
    assert set(found["test"]) == {"pass"}
    assert len(found["test"]) > 150


def test_commands_of_the_page_print_what_it_shows(
    folder: Path, tmp_path: Path, rewrite: bool
) -> None:
    """The commands of the page about the warehouse give the outputs that it shows."""
    copy = copied(folder, tmp_path)
    seen: list[tuple[Command, str]] = []
    for block in blocks(PAGE):
        if isinstance(block, Command) and block.text not in ("make run", "make warehouse"):
            output, code = run_command(block.text, copy)
            seen.append((block, tidy(output)))
            wrong = differs(block, tidy(output), code)
            assert rewrite or not wrong, (
                f"{PAGE.name}:{block.line}: something else is seen:\n{wrong}"
            )

    assert len(seen) == 3
    if rewrite:
        PAGE.write_text(rewritten(PAGE.read_text("utf-8"), seen), encoding="utf-8")


def test_a_second_build_changes_nothing(folder: Path, tmp_path: Path) -> None:
    """A later run reads the newest days again, and no row is there twice."""
    again = copied(folder, tmp_path)
    output, code = run_command("make warehouse DBT_ARGS=build", again)
    assert code == 0, output

    for name in ("fct_transition", "fct_message", "funnel", "holdout_lift"):
        query = f"from {name} order by all"
        with (
            duckdb.connect(str(folder / DATABASE), read_only=True) as before,
            duckdb.connect(str(again / DATABASE), read_only=True) as after,
        ):
            assert before.sql(query).fetchall() == after.sql(query).fetchall()


EXACT = {
    "time_to_convert": "flow, version, goal, in_holdout, conversions, round(days_mean, 6)",
    "waiting": "flow, version, step, in_holdout, sessions, days_longest",
}
"""What of a model is compared with its translation, if not all columns."""

DAMAGES = {
    "step_metric_equals": "delete from fct_message where id = (select min(id) from fct_message)",
    "flow_metric_equals": "update fct_conversion set value = value + 1",
    "unique_fct_transition_id": "insert into fct_transition (select * from fct_transition limit 1)",
    "funnel_equals_facts": "update funnel set arrivals = arrivals + 1",
    "facts_have_dimensions": "delete from dim_date where day = (select max(day) from dim_date)",
}
"""Tests of the project, and changes of the tables that they must notice."""


def test_wrong_rows_fail_a_test(folder: Path, tmp_path: Path) -> None:
    """A missing, changed or doubled row fails the dbt test that is there for it."""
    damaged = copied(folder, tmp_path)
    with duckdb.connect(str(damaged / DATABASE)) as database:
        for damage in DAMAGES.values():
            database.execute(damage)

    _, code = run_command(f"make warehouse DBT_ARGS='test --select {' '.join(DAMAGES)}'", damaged)

    assert code != 0
    assert results_of(damaged)["test"] == ["fail"] * len(DAMAGES)


def test_the_lift_is_that_of_the_report(folder: Path) -> None:
    """The interval in SQL is the one that ``towpath`` prints."""
    with duckdb.connect(str(folder / DATABASE), read_only=True) as database:
        rows = database.sql(
            "select treated_users, treated_converted, holdout_users, holdout_converted, "
            "lift, lift_low, lift_high from holdout_lift"
        ).fetchall()

    assert rows
    for treated, converted, held, held_converted, *shown in rows:
        wanted = lift(Arm(treated, converted), Arm(held, held_converted))
        assert wanted is not None
        assert shown == pytest.approx([wanted.difference, wanted.low, wanted.high])


def test_the_difference_of_branches_is_as_the_lift(folder: Path) -> None:
    """The interval between two branches has the same definition."""
    with duckdb.connect(str(folder / DATABASE), read_only=True) as database:
        rows = database.sql(
            "select one.users, one.converted, other.users, other.converted, "
            "difference, difference_low, difference_high "
            "from split_differences as d "
            "join split_tests as one on (one.flow, one.goal, one.variant) = (d.flow, d.goal, d.variant) "
            "join split_tests as other "
            "on (other.flow, other.goal, other.variant) = (d.flow, d.goal, d.compared_with)"
        ).fetchall()

    assert rows
    for users, converted, others, other_converted, *shown in rows:
        wanted = lift(Arm(users, converted), Arm(others, other_converted))
        assert wanted is not None
        assert shown == pytest.approx([wanted.difference, wanted.low, wanted.high])


@pytest.mark.parametrize("layer", ["core", "marts"])
def test_every_column_is_described(folder: Path, layer: str) -> None:
    """Each model and column has a description, and none is described that does not exist."""
    models = yaml.safe_load((MODELS / layer / f"{layer}.yml").read_text("utf-8"))["models"]
    described = {model["name"]: {c["name"] for c in model["columns"]} for model in models}
    texts = [part["description"] for model in models for part in (model, *model["columns"])]
    with duckdb.connect(str(folder / DATABASE), read_only=True) as database:
        columns = {
            name: {row[0] for row in database.sql(f"describe {name}").fetchall()}
            for name in described
        }

    assert described == columns
    assert all(texts)
    assert described.keys() == {path.stem for path in (MODELS / layer).glob("*.sql")}


def test_users_are_known_by_their_key_only(folder: Path) -> None:
    """Of the columns that may identify a user, facts have the key of the user and of the session."""
    with duckdb.connect(str(folder / DATABASE), read_only=True) as database:
        for kind in ("transition", "communication", "message", "conversion", "rejection", "call"):
            columns = {row[0] for row in database.sql(f"describe fct_{kind}").fetchall()}
            assert columns.isdisjoint(set(identifying(kind)) - {"user", "key"})


def test_models_mean_the_same_in_bigquery(folder: Path, tmp_path: Path) -> None:
    """Compiled for BigQuery and translated to DuckDB, each model has the rows of its table.

    The topics' tables have other names of columns, and quantiles are approximate there.
    """
    queries = translated(for_bigquery(copied(folder, tmp_path)))
    assert len(queries) > 25
    with duckdb.connect(str(folder / DATABASE), read_only=True) as database:
        attach(database, folder)
        for model, sql in queries.items():
            names = database.sql(f"describe {model}").fetchall()
            rows = f"select {EXACT.get(model, ', '.join(name for name, *_ in names))} from"
            extra = f"({rows} ({sql})) except all ({rows} {model})"
            missing = f"({rows} {model}) except all ({rows} ({sql}))"
            assert database.sql(extra).fetchall() == [], model
            # A later run of a fact reads the newest days only.
            if not model.startswith("fct_") or model == "fct_session":
                assert database.sql(missing).fetchall() == [], model


def for_bigquery(folder: Path) -> list[Path]:
    """Compile the models for BigQuery; return the files, with the names of tables alone."""
    words = """make warehouse DBT_ARGS='compile --vars "{dialect: bigquery}"'"""
    output, code = run_command(words, folder)
    assert code == 0, output
    compiled = folder / "build" / "warehouse" / "target" / "compiled" / "towpath" / "models"
    paths = sorted(compiled.glob("*/*.sql"))
    for path in paths:
        text = re.sub(r'"towpath"\."main"\."(\w+)"', r"topic_\1", path.read_text())
        path.write_text(re.sub(r'"warehouse"\."main"\."(\w+)"', r"\1", text))
    return paths


def attach(database: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Make views of the outputs with the names of columns that BigQuery's tables have."""
    results = folder / "build" / "run" / "results.duckdb"
    database.execute(f"attach '{results}' as towpath (read_only)")
    for kind in ("transition", "communication", "message", "conversion", "rejection", "call"):
        held = "" if kind == "rejection" else ", in_holdout as silent"
        hidden = "" if kind == "rejection" else ", in_holdout"
        database.execute(
            f"create temp view topic_{kind} as select * exclude (happened_at, user_id{hidden}), "
            f'happened_at as "at", user_id as "user"{held} from towpath.{kind}'
        )


def test_sql_of_another_dialect_is_refused(tmp_path: Path) -> None:
    """What BigQuery's parser does not accept is an error."""
    (tmp_path / "wrong.sql").write_text("select median(x from t")

    with pytest.raises(ValueError, match=r"wrong\.sql"):
        translated([tmp_path / "wrong.sql"])


def copied(folder: Path, into: Path) -> Path:
    """Copy a warehouse, to change it."""
    copy = into / "copy"
    shutil.copytree(folder, copy, symlinks=True)
    return copy
