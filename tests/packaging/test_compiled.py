"""The compiled core: what may be compiled, when a build compiles, and that it decides the same."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools

from tests.packaging.repository import ROOT
from tests.packaging.wheels import copied, few_purchases, install, installed_folder, towpath

pytestmark = pytest.mark.xdist_group("compiled_wheel")
TESTS = (
    "tests/test_scenarios.py",
    "tests/test_simulator.py",
    "tests/test_properties.py",
    "tests/flows",
    "tests/hosting",
    "tests/schemas/test_bodies.py",
    "tests/flink/test_counts.py",
    "tests/flink/test_recent_states.py",
    "tests/flink/test_records.py",
    "tests/flink/test_user_state.py",
    "tests/flink/test_user_steps.py",
    # It replaces a function of a compiled module.
    "--deselect=tests/hosting/test_buffer.py::test_a_signal_that_fails_does_not_affect_the_others",
)


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


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run ``pip install .`` in a copy of the project; return the Python of the environment."""
    if "CI" not in os.environ and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("compiled")
    return install(copied(folder / "copy"), folder / "env")


def test_an_installation_compiles_every_hot_module(python: Path) -> None:
    """Where there is a C compiler, each module named in setup.py is an extension."""
    site = installed_folder(python).parent
    plain = [name for name in hot() if not list(site.glob(f"{name.removesuffix('.py')}.cpython*"))]

    assert plain == []


@pytest.mark.parametrize(
    ("command", "env"),
    [
        ("bdist_wheel", {"CC": "no-such-compiler"}),
        ("bdist_wheel", {"TOWPATH_COMPILE": "0"}),
        ("editable_wheel", {}),
        ("sdist", {}),
    ],
)
def test_other_builds_stay_plain(
    command: str, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a C compiler, if told so, or from a clone whose edits count at once."""
    said: dict[str, object] = {}
    monkeypatch.setattr(setuptools, "setup", said.update)
    monkeypatch.setattr(sys, "argv", ["setup.py", command])
    monkeypatch.chdir(ROOT)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    runpy.run_path("setup.py")

    assert said["ext_modules"] == []


def test_the_compiled_core_gives_the_same_bytes(python: Path, tmp_path: Path) -> None:
    """The installed command says that it is compiled; its replay equals that of plain Python."""
    flows = installed_folder(python) / "flow_defs"
    assert "(compiled core)" in towpath(python, "--version").stdout
    assert towpath(python, "test", flows).returncode == 0

    words = [
        "replay",
        flows / "win_back.yaml",
        flows / "vip.yaml",
        *few_purchases(python, tmp_path),
    ]
    fast = towpath(python, *words, "--out", tmp_path / "fast")
    assert fast.returncode == 0, fast.stderr
    plain = [sys.executable, "-P", "-m", "towpath.cli.main", *words, "--out", tmp_path / "plain"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(plain, env=env, check=True, capture_output=True)

    assert contents(tmp_path / "fast") == contents(tmp_path / "plain")


def contents(folder: Path) -> dict[str, bytes]:
    """Read every table of a replay."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.parquet")}
    assert found
    return found


def test_the_tests_of_the_core_pass_with_the_compiled_core(python: Path) -> None:
    """Scenarios, the simulator, the properties, the golden states and what hosts share, compiled."""
    site = installed_folder(python).parent
    env = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", *words]
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)

    assert "(compiled core)" in run("towpath.cli.main", "--version").stdout
    done = run("pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-o", "pythonpath=", *TESTS)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 1000
