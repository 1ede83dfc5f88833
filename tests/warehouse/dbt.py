"""The warehouse of the whole sample, made by ``make warehouse`` as a reader does."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.docs.reader import clone, run_command, sample_run
from tests.packaging.repository import ROOT

PACKAGES = ROOT / "build" / "dbt"
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


def install() -> None:
    """Install dbt, once for all runs."""
    words = ["make", "--silent", "build/dbt/.ready"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@cache
def built(base: Path) -> Path:
    """Build the warehouse of the sample; return the folder in which that was done."""
    install()
    _, results = sample_run(base)
    (base / "warehouse").mkdir()
    folder = clone(base / "warehouse")
    (folder / "build").mkdir()
    (folder / "build" / "run").symlink_to(results)
    (folder / "build" / "dbt").symlink_to(PACKAGES)
    output, code = run_command("make warehouse", folder)
    assert code == 0, output
    return folder


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
