"""The built wheel, in an environment with nothing but it and the base dependencies."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.repository import ROOT, files
from tests.packaging.wheels import build, call, few_purchases, install, installed_folder, towpath

OF_EXTRAS = (
    "towpath.control.gcs_store",
    "towpath.control.redis_store",
    "towpath.relay.archive_files",
    "towpath.relay.from_kafka",
    "towpath.relay.heartbeats",
    "towpath.relay.kafka",
    "towpath.relay.kafka_to_files",
    "towpath.relay.kafka_to_redis",
    "towpath.relay.pubsub_to_kafka",
    "towpath.relay.table_files",
)
"""Modules that are imported only for such a store, or by a relay."""

pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without compiling."""
    return build(tmp_path_factory.mktemp("plain"), TOWPATH_COMPILE="0")


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment; return its Python."""
    return install(wheel, tmp_path_factory.mktemp("env"))


def test_the_wheel_has_every_file_it_needs(wheel: Path) -> None:
    """Every schema, every sample and every sample flow of the repository is in the wheel."""
    expected = {
        path.as_posix().replace("flow_defs/", "towpath/flow_defs/", 1)
        for path in files()
        if path.parts[0] == "flow_defs"
        or path.parts[:2] == ("towpath", "sample_data")
        or path.suffix == ".avsc"
        or (path.parts[0] in {"towpath", "transforms", "pipelines"} and path.suffix == ".py")
    }

    assert expected - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_wheel_has_nothing_else(wheel: Path) -> None:
    """Only the four packages are in the wheel: no tests, no benchmarks, no infrastructure."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}

    assert tops == {"towpath", "transforms", "pipelines", "schemas"}
    assert [name for name in names if "test_" in name or "/tests/" in name] == []


def test_every_module_imports_with_the_base_dependencies(python: Path) -> None:
    """The core and the command line import without Beam and without any other extra."""
    walk = (
        "import importlib, pkgutil, sys, towpath\n"
        "from transforms import authoring, flows, scenarios\n"
        "for top in (towpath, flows, scenarios, authoring):\n"
        "    for found in pkgutil.walk_packages(top.__path__, top.__name__ + '.'):\n"
        f"        if found.name not in {OF_EXTRAS}:\n"
        "            importlib.import_module(found.name)\n"
        "assert 'apache_beam' not in sys.modules\n"
    )
    done = call([python, "-c", walk], cwd=python.parents[1])

    assert (done.returncode, done.stderr) == (0, "")


def test_beam_is_not_a_base_dependency(python: Path) -> None:
    """Users who only check and simulate flows need not install a runner."""
    done = call([python, "-c", "import apache_beam"], cwd=python.parents[1])

    assert "No module named 'apache_beam'" in done.stderr


def test_installed_command_shows_its_help(python: Path) -> None:
    """``towpath --help`` names every command."""
    done = towpath(python, "--help")

    assert done.returncode == 0
    assert "check" in done.stdout
    assert "replay" in done.stdout


def test_installed_command_checks_the_sample_flows(python: Path) -> None:
    """``towpath check`` finds no problem in the sample flows of the wheel."""
    done = towpath(python, "check", installed_folder(python) / "flow_defs")

    assert done.returncode == 0, done.stdout + done.stderr


def test_installed_command_creates_a_flow(python: Path, tmp_path: Path) -> None:
    """``towpath new`` finds the templates in the wheel."""
    done = towpath(python, "new", "--template", "birthday", "--into", tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert towpath(python, "test", tmp_path).returncode == 0


def test_installed_command_finds_a_problem(python: Path, tmp_path: Path) -> None:
    """``towpath check`` exits 1 for a flow with an unknown step, without a traceback."""
    broken = tmp_path / "broken.yaml"
    broken.write_text(
        "flow: broken\nenter:\n  - event: Purchase\nsteps:\n  one: {wait: 1d, then: nowhere}\n"
    )
    done = towpath(python, "check", broken)

    assert done.returncode == 1
    assert "nowhere" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_installed_command_runs_a_flow(python: Path) -> None:
    """``towpath test`` runs the scenarios of the sample flows on the installed core."""
    done = towpath(python, "test", installed_folder(python) / "flow_defs")

    assert done.returncode == 0, done.stdout + done.stderr


def test_installed_command_replays_without_beam(python: Path, tmp_path: Path) -> None:
    """With the base dependencies alone a replay runs in one process, and its results can be asked."""
    words = [*few_purchases(python, tmp_path), "--out", tmp_path / "out"]
    done = towpath(python, "replay", installed_folder(python) / "flow_defs" / "vip.yaml", *words)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "would be sent to" in done.stdout
    asked: list[str | Path]
    for asked in (["explain", "00001", "--out"], ["query"], ["diff", tmp_path / "out"]):
        answered = towpath(python, *asked, tmp_path / "out")
        assert answered.returncode == 0, answered.stdout + answered.stderr


def test_other_commands_need_only_the_base_dependencies(python: Path, tmp_path: Path) -> None:
    """Every other command works with the base dependencies alone."""
    flow, events, bundle = (tmp_path / name for name in ("a/birthday.yaml", "e.jsonl", "b.flow"))
    out = tmp_path / "out"
    (tmp_path / "day.txt").write_text("2026-03-01 09:00 event Purchase {amount: 250}\n")
    towpath(python, "new", "--template", "birthday", "--into", tmp_path / "a")
    for words in (
        ["simulate", flow, "--timeline", tmp_path / "day.txt"],
        ["graph", flow, "--format", "svg"],
        ["fmt", flow],
        ["schema"],
        ["schema", "--record", "event"],
        ["export", flow, "--out", bundle],
        ["import", bundle, "--into", tmp_path / "b"],
        ["generate", "--users", "5", "--out", events],
        ["validate-events", events],
        ["replay", flow, "--events", events, "--until", "2024-06-01", "--out", out],
        ["report", out],
    ):
        done = towpath(python, *words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


def test_the_streaming_job_names_what_to_install(python: Path) -> None:
    """The streaming job says which extras it needs, without a traceback."""
    done = call([python, "-m", "pipelines.stream", "--help"], cwd=python.parents[1])

    assert done.returncode == 1
    assert done.stderr == (
        "the streaming job needs apache_beam and google.cloud.pubsub_v1; "
        "run pip install 'towpath[beam]'\n"
    )


@pytest.mark.parametrize(
    ("platform", "ends"),
    [
        ("linux", ("manylinux_x86_64", "manylinux_aarch64")),
        ("macos", ("macosx_x86_64", "macosx_arm64")),
    ],
)
def test_a_release_has_a_wheel_for_each_platform(platform: str, ends: tuple[str, ...]) -> None:
    """The configuration of cibuildwheel has Linux and macOS, two architectures, three Pythons."""
    archs = ["--archs", "x86_64,aarch64" if platform == "linux" else "x86_64,arm64"]
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers", *archs]
    done = call([*command, "--platform", platform], cwd=ROOT)

    assert done.returncode == 0, done.stderr
    expected = {f"cp3{minor}-{end}" for minor in (11, 12, 13) for end in ends}
    assert set(done.stdout.split()) == expected
