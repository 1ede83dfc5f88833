"""The rules of the test run, checked on a small project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.repository import ROOT

PROJECT = {
    "test_passes.py": "def test_passes(): pass\n",
    "test_skips.py": "import pytest\n\ndef test_skips(): pytest.skip('no such server here')\n",
    "test_asks.py": "def test_asks(rewrite): assert rewrite\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Write a project with a passing test, a skipped one and one that uses ``--rewrite``."""
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    return tmp_path


def run(project: Path, *args: str, ci: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in the small project."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")} | {"CI": ci}
    # Of the plugins only what it needs: each takes its time to import.
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-p", "xdist.plugin", "-p", "no:cacheprovider"]
    return subprocess.run([*command, *args], cwd=project, env=env, capture_output=True, text=True)


def test_a_skip_passes_without_ci(project: Path) -> None:
    """Without CI a skipped test does not fail the run."""
    done = run(project, "test_passes.py", "test_skips.py", ci="")

    assert done.returncode == 0
    assert "1 passed, 1 skipped" in done.stdout


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_skip_fails_in_ci(project: Path, workers: str) -> None:
    """With CI=true a skipped test fails the run and its reason is shown."""
    done = run(project, "-n", workers, "test_passes.py", "test_skips.py", ci="true")

    assert done.returncode == 1
    assert "no such server here" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout.splitlines()[-1]


def test_no_skip_passes_in_ci(project: Path) -> None:
    """With CI=true a run without skips passes."""
    assert run(project, "test_passes.py", ci="true").returncode == 0


def test_rewrite_reaches_the_tests(project: Path) -> None:
    """The fixture ``rewrite`` has the value of the option ``--rewrite``."""
    assert run(project, "test_asks.py", "--rewrite", ci="").returncode == 0
    assert run(project, "test_asks.py", ci="").returncode == 1
