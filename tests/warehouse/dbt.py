"""The warehouse of the whole sample, made by ``make warehouse`` as a reader does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.docs.reader import clone, run_command, sample_run
from tests.packaging.repository import ROOT

PACKAGES = ROOT / "build" / "dbt"
DATABASE = Path("build") / "warehouse" / "warehouse.duckdb"
TRANSLATE = """
import json, sys, sqlglot
found = {}
for path in sys.argv[1:]:
    try:
        (sql,) = sqlglot.transpile(open(path).read(), read="bigquery", write="duckdb")
        found[path] = {"sql": sql}
    except (sqlglot.ParseError, ValueError) as error:
        found[path] = {"error": str(error)}
print(json.dumps(found))
"""


def link_dbt(folder: Path) -> None:
    """Install dbt, once for all runs, and link it into a clone."""
    words = ["make", "--silent", "build/dbt/.ready"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "build").mkdir(exist_ok=True)
    (folder / "build" / "dbt").symlink_to(PACKAGES)


@cache
def built(base: Path) -> Path:
    """Build the warehouse of the sample; return the folder in which that was done."""
    _, results = sample_run(base)
    (base / "warehouse").mkdir()
    folder = clone(base / "warehouse")
    link_dbt(folder)
    (folder / "build" / "run").symlink_to(results)
    output, code = run_command("make warehouse", folder)
    assert code == 0, output
    return folder


def translated(paths: list[Path]) -> dict[str, str]:
    """Read files as SQL of BigQuery; return it as SQL of DuckDB, by the name of the file."""
    done = subprocess.run(
        [sys.executable, "-c", TRANSLATE, *map(str, paths)],
        env=os.environ | {"PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    errors = {path: one["error"] for path, one in found.items() if "error" in one}
    if errors:
        raise ValueError(f"not SQL of BigQuery: {errors}")
    return {Path(path).stem: one["sql"] for path, one in found.items()}
