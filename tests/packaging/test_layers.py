"""The structure of the core: its layers, and limits on imports between modules."""

from __future__ import annotations

from functools import cache

import grimp
import pytest
from importlinter.cli import lint_imports

from tests.packaging.repository import ROOT

CORE = "transforms.flows"
LONGEST_CHAIN = 22
MOST_IMPORTS = 15
MOST_MODULES = 16


@cache
def imports() -> dict[str, frozenset[str]]:
    """Return, for each module of the core, the others that it imports."""
    graph = grimp.build_graph("transforms", cache_dir=None)
    modules = {name for name in graph.modules if f"{name}.".startswith(f"{CORE}.")}
    return {
        name: frozenset(graph.find_modules_directly_imported_by(name) & modules - {name})
        for name in modules
    }


@cache
def chain(module: str) -> tuple[str, ...]:
    """Return the longest chain of imports that begins with a module."""
    return (module, *max(map(chain, imports()[module]), key=len, default=()))


def test_layers_import_only_lower_layers() -> None:
    """Each layer imports only from those below it, as the contracts in pyproject.toml say."""
    config = str(ROOT / "pyproject.toml")

    assert lint_imports(config_filename=config, no_cache=True, show_timings=False) == 0


def test_no_chain_of_imports_is_long() -> None:
    """The longest chain of imports in the core has at most 22 modules, and there is no cycle."""
    longest = max(map(chain, imports()), key=len)  # a cycle would recurse without end

    assert len(longest) <= LONGEST_CHAIN, " > ".join(longest)


def test_no_module_imports_many_others() -> None:
    """A module of the core imports at most 15 others."""
    many = {name: len(found) for name, found in imports().items() if len(found) > MOST_IMPORTS}

    assert many == {}


@pytest.mark.parametrize("top", ["transforms", "pipelines"])
def test_folders_are_small(top: str) -> None:
    """A folder has at most 16 modules."""
    folders = {path.parent for path in (ROOT / top).rglob("*.py")}
    counts = {
        str(folder.relative_to(ROOT)): sum(1 for p in folder.glob("*.py") if p.stem != "__init__")
        for folder in folders
    }

    assert {name: n for name, n in counts.items() if n > MOST_MODULES} == {}
