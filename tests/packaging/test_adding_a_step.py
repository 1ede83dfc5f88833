"""The section "Adding a step" of CONTRIBUTING.md, followed in a copy of the project."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.repository import ROOT, files

RECIPE = ROOT / "tests" / "recipe" / "count_down"
DEFINITION = "transforms/flows/definitions/steps/waits.py"
LOGIC = "transforms/flows/engine/steps/waits.py"
MOST_FILES = 5

IMPORTS = """\
from transforms.flows.catalog.compiled import END
from transforms.flows.protocol.signals import Event, Signal
"""


class Copy:
    """A copy of the project, and the files that were changed in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changed: set[str] = set()
        for path in files():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)

    def insert(self, file: str, *edits: tuple[str, str]) -> None:
        """Insert texts before others, each of which occurs once."""
        text = (self.folder / file).read_text(encoding="utf-8")
        for before, new in edits:
            assert text.count(before) == 1, (file, before)
            text = text.replace(before, new + before)
        (self.folder / file).write_text(text, encoding="utf-8")
        self.changed.add(file)

    def add(self, source: Path, file: str) -> None:
        """Add a file."""
        shutil.copy(source, self.folder / file)
        self.changed.add(file)

    def run(self, *command: str) -> str:
        """Run Python in the copy; return what it printed."""
        done = subprocess.run(
            [sys.executable, *command], cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def part(name: str) -> str:
    """Read a part of the section."""
    return (RECIPE / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Add ``count_down`` to a copy, by the five lines of the section."""
    made = Copy(tmp_path_factory.mktemp("copy"))
    made.insert(
        DEFINITION,
        ("Waits = Wait | ", part("definition.py.txt") + "\n\n"),
        ("Wait | WaitVisit | WaitUntil", "CountDown | "),
        (')\n"""How these steps are written', part("kind.py.txt")),
    )
    made.insert(
        LOGIC,
        ("LOGIC: Final[dict", part("logic.py.txt") + "\n\n"),
        ("    Wait: WaitLogic(),", "    CountDown: CountDownLogic(),\n"),
        ("Wait, WaitUntil, WaitVisit, WaitWindow\n", "CountDown, "),
        ("from transforms.flows.state.limits", IMPORTS),
    )
    for name in ("count_down.yaml", "count_down.scenarios.txt"):
        made.add(RECIPE / name, f"tests/scenarios/steps/{name}")
    made.insert("CHANGELOG.md", ("- The flow language:", "- The step `count_down`.\n"))
    return made


def test_a_step_touches_five_files(copy: Copy) -> None:
    """A new step changes at most five files besides golden files and generated pages."""
    assert len(copy.changed) <= MOST_FILES


def test_scenarios_of_the_new_step_pass(copy: Copy) -> None:
    """The new step is loaded, checked, compiled and run: its scenarios pass as written."""
    copy.run(
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/test_scenarios.py",
        "-k",
        "count_down",
    )


def test_every_tool_knows_the_new_step(copy: Copy) -> None:
    """The formatter, the JSON Schema, the graph and the reference know the new step."""
    flow = "tests/scenarios/steps/count_down.yaml"
    towpath = ("-m", "towpath.cli.main")

    copy.run(*towpath, "fmt", "--check", flow)
    assert "count_down" in copy.run(*towpath, "schema")
    assert "Count down" in copy.run(*towpath, "graph", flow)
    assert "count_down" in copy.run("-c", "from docs.generating import flow; print(flow.page())")


def test_the_files_of_the_new_step_type_check(copy: Copy) -> None:
    """Mypy finds no problems in the files of the new step."""
    copy.run("-m", "mypy", "--cache-dir", str(ROOT / ".mypy_cache"), DEFINITION, LOGIC)
