"""The warehouse of the whole sample, made by ``make warehouse`` as a reader does."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.docs.reader import clone, run_command, sample_run
from tests.packaging.repository import ROOT

PACKAGES = ROOT / "build" / "dbt"


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
