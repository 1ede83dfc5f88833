"""What may be compiled: ``make compiled`` must give the same code, only faster."""

from __future__ import annotations

import ast

from tests.packaging.repository import ROOT


def hot() -> list[str]:
    """Read from ``setup.py`` which modules are compiled."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HOT":
            found: dict[str, str] = ast.literal_eval(node.value)
            return [f"{folder}/{n}.py" for folder, names in found.items() for n in names.split()]
    raise AssertionError("setup.py names no modules")


def test_compiled_modules_define_no_structs() -> None:
    """A compiled struct would lose its options: it would be neither frozen nor encoded as an array."""
    modules = hot()
    assert "transforms/flows/engine/step.py" in modules
    for name in modules:
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.ClassDef):
                assert not node.keywords, f"{name}: {node.name} is a struct"


def test_the_engine_is_compiled() -> None:
    """No module of the engine is forgotten, except two that no event runs through."""
    modules = set(hot())
    engine = ROOT / "transforms" / "flows" / "engine"
    every = {path.relative_to(ROOT).as_posix() for path in engine.rglob("*.py")}
    plain = {name.removeprefix("transforms/flows/engine/") for name in every - modules}

    assert {name for name in plain if not name.endswith("__init__.py")} == {
        "identity/state_data.py",
        "profile/profile_view.py",
    }
