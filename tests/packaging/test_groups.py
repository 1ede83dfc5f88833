"""Tests of a group share expensive fixtures, so ``make test`` runs them in one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MODULE = """
import os
import pytest

pytestmark = pytest.mark.xdist_group("shared")


@pytest.mark.parametrize("number", range(20))
def test_note(number):
    with open({notes!r}, "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


def test_a_group_runs_in_one_process(tmp_path: Path) -> None:
    """The pinned versions of pytest and pytest-xdist keep a group together, also over modules."""
    notes = tmp_path / "notes"
    for name in ("test_first.py", "test_second.py"):
        (tmp_path / name).write_text(MODULE.format(notes=str(notes)))
    words = ["-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", "-c", "/dev/null"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *words, str(tmp_path)], capture_output=True, text=True
    )

    assert run.returncode == 0, run.stdout + run.stderr
    written = notes.read_text().split()
    assert len(written) == 40
    assert len(set(written)) == 1
