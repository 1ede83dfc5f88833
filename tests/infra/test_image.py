"""The worker image: linted, of the versions in the lock file, with all that the wheel is built from."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.repository import ROOT
from tests.packaging.test_locks import pins

DOCKERFILE = ROOT / "infra/gcp/Dockerfile"
HADOLINT = Path(sys.executable).with_name("hadolint")
TEXT = DOCKERFILE.read_text()
ARGS = dict(re.findall(r"^ARG (\w+)=(\S+)$", TEXT, re.MULTILINE))
COPIED = [
    word
    for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.MULTILINE)
    for word in line.split()[:-1]
]


def test_the_dockerfile_has_no_findings() -> None:
    """Hadolint finds nothing in the Dockerfile."""
    done = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True)

    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_the_image_has_the_locked_beam() -> None:
    """The program that starts workers is of the version of Beam in the lock file."""
    assert ARGS["BEAM_VERSION"] == str(pins("requirements-gcp.lock")["apache-beam"])
    assert "beam_python${PYTHON_VERSION}_sdk:${BEAM_VERSION}" in TEXT
    assert f"python{ARGS['PYTHON_VERSION'].replace('.', '')}-template" in ARGS["LAUNCHER"]


def test_every_package_is_checked_by_its_hash() -> None:
    """What is installed comes from lock files with hashes, or was built in the image."""
    installs = re.findall(r"pip (?:install|wheel) ((?:[^&\n]|\\\n)+)", TEXT)

    assert len(installs) == 4
    assert all(
        "--require-hashes" in words or "--no-index" in words or words.rstrip().endswith(" .")
        for words in installs
    )


def test_the_last_stage_has_no_compiler() -> None:
    """The image that runs is a slim one to which only wheels and Beam's programs are added."""
    last = TEXT.rpartition("\nFROM ")[2]

    assert "-slim-" in last.splitlines()[0]
    assert not re.search("apt-get|gcc|build-essential", last)


@pytest.mark.parametrize("name", COPIED)
def test_what_is_copied_exists_and_is_not_ignored(name: str) -> None:
    """Docker gets every file that the Dockerfile copies, and the project has it."""
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()

    assert (ROOT / name).exists()
    assert f"!{name}" in ignored


def test_the_wheel_has_its_sources() -> None:
    """The packages that setup.py packs, and what it reads, are copied."""
    setup = (ROOT / "setup.py").read_text()
    packed = re.search(r"^TOP_LEVEL = \[(.+)\]$", setup, re.MULTILINE)
    assert packed is not None

    assert set(re.findall(r'"(\w+)"', packed[1])) | {"flow_defs"} <= set(COPIED)


def test_the_image_can_be_tried_without_docker() -> None:
    """The script that repeats the steps without Docker installs from the same lock files."""
    script = (ROOT / ".ci/try-image").read_text()
    locks = set(re.findall(r"requirements-\w+\.lock", TEXT))

    assert locks == set(re.findall(r"requirements-\w+\.lock", script))
    assert Path(ROOT / ".ci/try-image").stat().st_mode & 0o100
