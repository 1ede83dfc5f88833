"""The dbt project: its tests pass on the whole sample, and would fail on wrong rows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.docs.reader import run_command
from tests.warehouse.dbt import PACKAGES, built
from towpath.reports.lift import Arm, lift

pytestmark = pytest.mark.xdist_group("sample")  # shares the replay of the sample

DATABASE = Path("build") / "warehouse" / "warehouse.duckdb"
PARSE = """
import sys, sqlglot
for path in sys.argv[1:]:
    text = open(path).read().replace('"warehouse"."main".', "").replace('"towpath"."main".', "")
    try:
        (statement,) = sqlglot.parse(text, read="bigquery")
    except (sqlglot.ParseError, ValueError) as error:
        print(path, error)
"""


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


def test_a_second_build_changes_nothing(folder: Path, tmp_path: Path) -> None:
    """A later run reads the newest days again, and no row is there twice."""
    again = copied(folder, tmp_path)
    output, code = run_command("make warehouse", again)
    assert code == 0, output

    for name in ("fct_transition", "fct_message", "funnel", "holdout_lift"):
        query = f"from {name} order by all"
        with (
            duckdb.connect(str(folder / DATABASE), read_only=True) as before,
            duckdb.connect(str(again / DATABASE), read_only=True) as after,
        ):
            assert before.sql(query).fetchall() == after.sql(query).fetchall()


@pytest.mark.parametrize(
    ("damage", "test"),
    [
        ("delete from fct_message where id = (select min(id) from fct_message)", "step_metric_equals"),
        ("update fct_conversion set value = value + 1", "flow_metric_equals"),
        ("insert into fct_transition (select * from fct_transition limit 1)", "unique_fct_transition_id"),
        ("update funnel set arrivals = arrivals + 1", "funnel_equals_facts"),
    ],
)  # fmt: skip
def test_wrong_rows_fail_a_test(folder: Path, tmp_path: Path, damage: str, test: str) -> None:
    """A missing, changed or doubled row fails the dbt test that is there for it."""
    damaged = copied(folder, tmp_path)
    with duckdb.connect(str(damaged / DATABASE)) as database:
        database.execute(damage)

    _, code = run_command(f"make warehouse DBT_ARGS='test --select {test}'", damaged)

    assert code != 0
    assert results_of(damaged)["test"] == ["fail"]


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


def test_models_are_valid_for_bigquery(folder: Path, tmp_path: Path) -> None:
    """Compiled for BigQuery, every model is SQL that a parser of its dialect accepts."""
    copy = copied(folder, tmp_path)
    output, code = run_command(
        """make warehouse DBT_ARGS='compile --vars "{dialect: bigquery}"'""", copy
    )
    assert code == 0, output
    compiled = copy / "build" / "warehouse" / "target" / "compiled" / "towpath" / "models"
    paths = sorted(compiled.rglob("*.sql"))
    assert len(paths) > 20

    assert parse_errors(paths) == ""
    (tmp_path / "wrong.sql").write_text("select median(x from t")
    assert "wrong.sql" in parse_errors([tmp_path / "wrong.sql"])


def parse_errors(paths: list[Path]) -> str:
    """Parse files as BigQuery's SQL; return the errors."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE, *map(str, paths)],
        env=os.environ | {"PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def copied(folder: Path, into: Path) -> Path:
    """Copy a warehouse, to change it."""
    copy = into / "copy"
    shutil.copytree(folder, copy, symlinks=True)
    return copy
