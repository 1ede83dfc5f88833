"""Follows a page like a reader: writes its files and types its commands in a copy of the
repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.docs.blocks import Block, Command, File, Other, pattern, tidy
from tests.kit.timeouts import PATIENCE
from tests.packaging.repository import ROOT

COPIED = ("flow_defs",)
LINKED = (
    "Makefile",
    "requirements-base.lock",
    "requirements.lock",
    "setup.py",
    ".ci",
    "infra",
    "towpath/sample_data",
)
BINARIES = ".venv/bin"

SHIMS = {
    "towpath": 'exec {python} -P -m towpath.cli.main "$@"',
    "python": 'exec {python} -P "$@"',
    "make": 'exec {make} -s -o .venv/.base -o .venv/.ready -o build/dbt/.ready "$@"',
}
"""Replacements for commands of the environment: the interpreter that runs the tests."""


def clone(folder: Path) -> Path:
    """Create what a reader finds after cloning the repository."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name)
    for name in LINKED:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    binaries = folder / BINARIES
    binaries.mkdir(parents=True)
    for name, text in SHIMS.items():
        script = text.format(python=sys.executable, make=shutil.which("make"))
        (binaries / name).write_text(f"#!/bin/sh\n{script}\n")
        (binaries / name).chmod(0o755)
    return folder


def run_command(text: str, folder: Path) -> tuple[str, int]:
    """Run a command; return its output and exit code."""
    env = os.environ | {
        "PATH": f"{folder / BINARIES}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "96",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    return done.stdout, done.returncode


@cache
def sample_run(base: Path) -> tuple[str, Path]:
    """Run ``make run`` once for all tests; return its output and the folder of its results."""
    (base / "ran").mkdir()
    folder = clone(base / "ran")
    output, code = run_command("make run", folder)
    assert code == 0, output
    return output, folder / "build" / "run"


def follow(block: Block, folder: Path, ran: tuple[str, Path]) -> tuple[str, int] | None:
    """Execute a block; return the output and exit code, or None if it is not a command.

    ``make run`` runs only once: ``ran`` is its output and the folder of its results.
    """
    match block:
        case File():
            path = folder / block.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        case Command(text="make run"):
            if not (folder / "build" / "run").exists():
                shutil.copytree(ran[1], folder / "build" / "run")
            return tidy(ran[0]), 0
        case Command():
            output, code = run_command(block.text, folder)
            return tidy(output), code
        case Other():
            pass
    return None


def differs(command: Command, output: str, code: int) -> str:
    """Return the actual output if it differs from the page, else nothing."""
    if pattern(command.output).fullmatch(output) and code == command.code:
        return ""
    return f"$ {command.text}\n{output}(exit code {code})"
