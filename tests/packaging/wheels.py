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


def install(source: Path, home: Path) -> Path:
    """Install a wheel or a folder into an empty environment as users do; return its Python."""
    made = call([sys.executable, "-m", "venv", "--without-pip", home], cwd=home.parent)
    assert made.returncode == 0, made.stderr
    python = home / "bin" / "python"
    # With the hashes of the lock file, pip would also want one of the wheel.
    locked = (ROOT / "requirements-base.lock").read_text()
    pins = home / "pins.txt"
    pins.write_text("\n".join(re.findall(r"^[\w.-]+==[^\s;]+", locked, re.MULTILINE)))
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    done = call([*pip, source], cwd=home, PIP_CONSTRAINT=str(pins))
    if OFFLINE.search(done.stderr):
        pytest.skip("the package index cannot be reached, so the base dependencies are missing")
    assert done.returncode == 0, done.stdout + done.stderr
    return python


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
