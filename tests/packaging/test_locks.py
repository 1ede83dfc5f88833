"""One set of versions: bounds in setup.py, pins of the core, and the two lock files agree."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.packaging.repository import ROOT, files

FLINK = "infra/flink/requirements.lock"
LOCKS = ("requirements-base.lock", "requirements.lock", "requirements-gcp.lock", FLINK)
REFUSED = {FLINK: {"pyarrow"}}
"""Packages that a lock file has in another version, because what it is for refuses the usual one."""


def pins(name: str) -> dict[str, Version]:
    """Read the exact versions of a lock file."""
    found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): Version(version) for package, version in found}


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Requirement]]:
    """Run setup.py up to its call of setup; return its requirements by extra."""
    said: dict[str, object] = {}
    monkeypatch.setattr(setuptools, "setup", said.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(Path("setup.py")))
    groups = {"base": said["install_requires"], **said["extras_require"]}
    return {group: [Requirement(line) for line in lines] for group, lines in groups.items()}


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_keep_the_pins_of_the_core(lock: str) -> None:
    """Every environment computes with the same versions, so that states have the same bytes."""
    locked = pins(lock)

    assert {name: locked.get(name) for name in pins("constraints.txt")} == pins("constraints.txt")


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("requirements-base.lock", ("base",)),
        ("requirements.lock", ("base", "local", "redis", "kafka", "dev")),
        ("requirements-gcp.lock", ("base", "beam", "redis")),
        (FLINK, ("base", "flink", "redis", "code")),
    ],
)
def test_locks_satisfy_setup(
    declared: dict[str, list[Requirement]], lock: str, groups: tuple[str, ...]
) -> None:
    """Each requirement of setup.py is in its lock file, at a version within its bounds."""
    locked = pins(lock)
    wanted = [requirement for group in groups for requirement in declared[group]]
    unmet = [
        str(requirement)
        for requirement in wanted
        if locked.get(canonicalize_name(requirement.name)) not in requirement.specifier
    ]

    assert unmet == []


def test_messages_name_extras_that_exist(declared: dict[str, list[Requirement]]) -> None:
    """Every extra that a message or a page tells users to install is one of setup.py."""
    named = {
        extra
        for path in files()
        if path.suffix in (".py", ".md") and path.parts[0] != "tests"
        for extras in re.findall(r"towpath\[([a-z,]+)\]", (ROOT / path).read_text("utf-8"))
        for extra in extras.split(",")
    }

    assert named <= declared.keys()
    assert {"local", "beam", "redis", "pubsub", "code"} <= named


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_hashes(lock: str) -> None:
    """Each package of a lock file has hashes, without which pip refuses the whole file."""
    entries = re.split(r"^(?=[\w.-]+==)", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]

    assert len(entries) == len(pins(lock))
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_the_bill_of_materials_has_every_package(lock: str, tmp_path: Path) -> None:
    """The software bill of materials names each package of its lock file with its version."""
    out = tmp_path / "bom.json"
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "-o", out, ROOT / lock]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    parts = json.loads(out.read_text())["components"]

    found = {canonicalize_name(part["name"]): Version(part["version"]) for part in parts}
    assert found == pins(lock)


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_agree(lock: str) -> None:
    """A package in two lock files has the same version in both."""
    here, there = pins(lock), pins("requirements.lock")
    shared = here.keys() & there.keys()

    assert {name for name in shared if here[name] != there[name]} == REFUSED.get(lock, set())


def test_the_environment_for_running_is_part_of_that_for_tests() -> None:
    """``make setup-dev`` adds to what ``make setup`` installed, and replaces nothing."""
    assert pins("requirements-base.lock").items() <= pins("requirements.lock").items()


def test_the_environment_of_flink_has_no_beam() -> None:
    """PyFlink runs in thread mode, which needs no Beam: its environment has none."""
    assert "apache-beam" not in pins(FLINK)


def test_running_needs_no_beam() -> None:
    """The environment of ``make setup`` is small: it has no runner and no client of a service."""
    assert {"apache-beam", "numpy", "grpcio", "redis"}.isdisjoint(pins("requirements-base.lock"))
