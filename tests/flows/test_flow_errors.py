"""Golden errors: valid flows with one error each, and the exact message."""

from __future__ import annotations

from pathlib import Path

import pytest

from transforms.flows.diagnostics import Loaded, Problem, show
from transforms.flows.reading.project import load_project
from transforms.flows.reading.space import load_space
from transforms.flows.templates.message_template import load_template

FOLDER = Path(__file__).parent.parent / "flow_errors"
TEMPLATES = {f"messages/{path.name}": path.read_text() for path in FOLDER.glob("messages/*.liquid")}
GOOD = {
    name: TEMPLATES[f"messages/{name}.liquid"] for name in ("cart_reminder", "offer", "greeting")
}
CASES = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in (*FOLDER.glob("*.yaml"), *FOLDER.glob("messages/*.liquid"))
    if path.name != "space.yaml" and path.stem not in GOOD
)


def problems(case: str, text: str) -> tuple[Problem, ...]:
    """Load a case as a project is loaded."""
    name = Path(case).stem
    if case.endswith(".liquid"):
        found: Loaded = load_template(name, text, case)
    elif name.startswith("space_"):
        found = load_space(case, text)
    else:
        files = {f"messages/{key}.liquid": value for key, value in GOOD.items()}
        files |= {"space.yaml": (FOLDER / "space.yaml").read_text(), case: text}
        return load_project(files).problems
    return found.problems


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, rewrite: bool) -> None:
    """Each inserted error is found at its place with a helpful message, and no other error."""
    text = (FOLDER / case).read_text()
    shown = "".join(f"{show(problem, text)}\n" for problem in problems(case, text))
    golden = (FOLDER / case).with_suffix(".out")
    if rewrite:
        golden.write_text(shown)

    assert shown == golden.read_text()
    assert shown != ""


def test_every_golden_file_belongs_to_a_case() -> None:
    """Every ``.out`` file belongs to a case."""
    left = {path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.out")}

    assert left == {case.rsplit(".", 1)[0] for case in CASES}


def test_at_least_40_problem_codes_are_shown() -> None:
    """At least 40 kinds of problems have an example."""
    codes = {p.code for case in CASES for p in problems(case, (FOLDER / case).read_text())}

    assert len(codes) >= 40
