"""Rules for every file of the repository."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.packaging.repository import ROOT, files, texts

LONGEST = 500

MACHINE_PATH = re.compile(
    r"(?<![\w.$}\"'-])/(?:work|farm|root|home|tmp|Users|mnt|opt)/(?!apache/beam|google/dataflow|flink\b|disks/index)[\w.]"
)
"""Folders of a machine, but not those that images and machines of a cloud have."""
REGISTRY = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("registry", "npmjs"),
            ("proxy", "golang"),
            ("repo", "maven"),
            ("deb", "debian"),
            ("index", "docker"),
        )
    )
)

PYTHON = [path for path in files() if path.suffix == ".py"]
CORE = [path for path in PYTHON if path.is_relative_to("transforms/flows")]

CORE_MAY_IMPORT = {"msgspec", "re2", "tzdata"}
READERS_MAY_IMPORT = {"yaml", "liquid"}
READERS = ("reading", "templates")
"""The packages of the core that convert text to values and back."""


def test_no_path_of_a_machine() -> None:
    """No file names a folder of the machine on which it was written."""
    assert [f"{path}: {m[0]}" for path, text in texts() for m in MACHINE_PATH.finditer(text)] == []


def test_no_package_registry() -> None:
    """No file, lock files included, names a package registry: users choose their own."""
    assert [f"{path}: {m[0]}" for path, text in texts() for m in REGISTRY.finditer(text)] == []


def test_files_are_short() -> None:
    """A Python file has at most 500 lines."""
    lines = {path: len((ROOT / path).read_text().splitlines()) for path in PYTHON}

    assert {str(path): n for path, n in lines.items() if n > LONGEST} == {}


def test_text_files_end_with_one_newline() -> None:
    """Text files use plain newlines and end with one."""
    odd = [
        str(path)
        for path, text in texts()
        if text and ("\r" in text or not text.endswith("\n") or text.endswith("\n\n"))
    ]

    assert odd == []


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", CORE, ids=str)
def test_the_core_imports_only_pure_packages(path: Path) -> None:
    """The core imports itself, the standard library, msgspec, re2, tzdata; readers YAML, Liquid."""
    allowed = CORE_MAY_IMPORT | sys.stdlib_module_names
    if path.parts[2] in READERS:
        allowed |= READERS_MAY_IMPORT
    foreign = {
        name
        for name in _imported(path)
        if not f"{name}.".startswith("transforms.flows.") and name.split(".")[0] not in allowed
    }

    assert foreign == set()


def _tests(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse((ROOT / path).read_text())
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_tests_state_their_promise() -> None:
    """Every test has a docstring that says what it promises, so that a failure reads as a sentence."""
    silent = [
        f"{path}:{test.lineno} {test.name}"
        for path in PYTHON
        if path.parts[0] == "tests" and path.name.startswith("test_")
        for test in _tests(path)
        if not ast.get_docstring(test)
    ]

    assert silent == []
