"""Builds wheels of the project and installs them into empty environments."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from tests.packaging.repository import ROOT, files

LOCK = ROOT / "requirements-base.lock"
OFFLINE = re.compile(r"NewConnectionError|name resolution|Network is unreachable|ProxyError")


def call(command: Sequence[str | Path], cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command outside of the checkout, without this environment."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(command, cwd=cwd, env=env | more, capture_output=True, text=True)


def copied(folder: Path) -> Path:
    """Copy the files of the project, and nothing else."""
    for path in files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    return folder


def build(folder: Path, **env: str) -> Path:
    """Build the wheel through an sdist."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", "."]
    built = call(command, copied(folder / "copy"), **env)
    assert built.returncode == 0, built.stdout + built.stderr
    return next((folder / "dist").glob("*.whl"))


def empty_environment(home: Path) -> Path:
    """Create an environment with nothing in it; return its Python."""
    made = call([sys.executable, "-m", "venv", "--without-pip", home], cwd=home.parent)
    assert made.returncode == 0, made.stderr
    return home / "bin" / "python"


def pip(python: Path, *words: str | Path, cwd: Path) -> None:
    """Run pip for an environment that has none; skip the test if there is no network."""
    done = call([sys.executable, "-m", "pip", "--python", python, *words, "--quiet"], cwd)
    if OFFLINE.search(done.stderr):
        pytest.skip("the package index cannot be reached, so the base dependencies are missing")
    assert done.returncode == 0, done.stdout + done.stderr


def install(wheel: Path, home: Path) -> Path:
    """Install the wheel into an empty environment; return its Python."""
    python = empty_environment(home)
    # With the hashes of the lock file, pip would also want one of the wheel.
    pins = re.findall(r"^[\w.-]+==[^\s;]+", LOCK.read_text(), re.MULTILINE)
    (home / "pins.txt").write_text("\n".join(pins))
    pip(python, "install", "-c", home / "pins.txt", wheel, cwd=home)
    return python


def compiled_wheel(folder: Path) -> tuple[Path, Path]:
    """Build the wheel as `make install` does, and install it; return it and the environment's Python."""
    python = empty_environment(folder / "env")
    pip(python, "install", "-r", LOCK, cwd=folder)
    source = copied(folder / "copy")
    pip(python, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    pip(python, "install", "--no-deps", wheel, cwd=folder)
    return wheel, python


def towpath(python: Path, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command in an empty folder."""
    return call([python.parent / "towpath", *args], cwd=python.parents[1])


def installed_folder(python: Path) -> Path:
    """Return the folder of the installed package ``towpath``."""
    return next(python.parents[1].glob("lib/python*/site-packages/towpath"))


def few_purchases(python: Path, folder: Path) -> list[str | Path]:
    """Write the first thousand purchases of the sample; return the words that replay them."""
    sample = installed_folder(python) / "sample_data"
    with gzip.open(sample / "cdnow_purchases.csv.gz", "rt") as packed:
        (folder / "few.csv").write_text("".join(islice(packed, 1001)))
    return [
        "--events",
        folder / "few.csv",
        "--map",
        sample / "cdnow.map.yaml",
        "--until",
        "1998-07-01",
    ]
