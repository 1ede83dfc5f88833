"""The image and the manifest of the job on Flink: linted, locked, with the settings of a local cluster."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.flink_options import parse
from tests.packaging.repository import ROOT
from tests.packaging.test_locks import pins
from towpath.cli.main import parser_of
from towpath.flink.settings import SHARED

FOLDER = ROOT / "infra/flink"
DOCKERFILE = FOLDER / "Dockerfile"
TEXT = DOCKERFILE.read_text()
COPIED = [
    word
    for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.MULTILINE)
    for word in line.split()[:-1]
]
SPEC: dict[str, Any] = yaml.safe_load((FOLDER / "deployment.yaml").read_text())["spec"]
CONFIGURATION: dict[str, str] = SPEC["flinkConfiguration"]
FLINK = str(pins("infra/flink/requirements.lock")["apache-flink"])


def as_text(value: object) -> str:
    """Return a setting as Flink's configuration has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_dockerfile_has_no_findings() -> None:
    """Hadolint finds nothing in the Dockerfile."""
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True)

    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_every_package_and_jar_is_checked() -> None:
    """What is installed comes from lock files with hashes, or was built in the image; jars have checksums."""
    installs = re.findall(r"pip (?:install|wheel) ((?:[^&\n]|\\\n)+)", TEXT)

    assert len(installs) == 4
    assert all(
        "--require-hashes" in words or "--no-index" in words or words.rstrip().endswith(" .")
        for words in installs
    )
    assert not re.search(r"curl|wget|apt-get|ADD http", TEXT)
    for folder in (FOLDER, FOLDER / "filesystems"):
        artifacts = re.findall(
            r"<artifactId>(flink-(?!jars|filesystems).+)</artifactId>",
            (folder / "pom.xml").read_text(),
        )
        sums = (folder / "jars.sha256").read_text()
        assert artifacts
        assert all(
            re.search(rf"^[0-9a-f]{{64}}  {name}-[\d.-]+\.jar$", sums, re.MULTILINE)
            for name in artifacts
        )


def test_the_last_stage_has_no_compiler() -> None:
    """The image that runs is a slim one with wheels and jars only, and does not run as root."""
    last = TEXT.rpartition("\nFROM ")[2]

    assert "-slim-" in last.splitlines()[0]
    assert "USER 9999:9999" in last


@pytest.mark.parametrize("name", COPIED)
def test_what_is_copied_exists_and_is_not_ignored(name: str) -> None:
    """Docker gets every file that the Dockerfile copies, and the project has it."""
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()

    assert (ROOT / name).exists()
    assert f"!{name}" in ignored


def test_the_manifest_has_the_settings_of_the_job() -> None:
    """The settings that the job needs on every cluster are those of a local one."""
    wanted = {name: as_text(value) for name, value in SHARED.items()}

    assert {name: CONFIGURATION.get(name) for name in wanted} == wanted


def test_the_manifest_survives_the_loss_of_a_process() -> None:
    """There is a spare TaskManager, a JobManager that takes over, and state in an object store; nothing
    is drained, and no state is forgotten after a time.
    """
    assert CONFIGURATION["slotmanager.redundant-taskmanager-num"] == "1"
    assert CONFIGURATION["high-availability.type"] == "kubernetes"
    for name in (
        "execution.checkpointing.dir",
        "execution.checkpointing.savepoint-dir",
        "high-availability.storageDir",
    ):
        assert re.match("(s3|gs)://", CONFIGURATION[name])
    assert SPEC["job"]["upgradeMode"] == "savepoint"
    assert CONFIGURATION["kubernetes.operator.job.drain-on-savepoint-deletion"] == "false"
    assert not [name for name in CONFIGURATION if "ttl" in name]


def test_the_manifest_and_the_image_are_of_one_version() -> None:
    """Flink, the jar of its Python functions, the file systems and Python have the versions of the lock."""
    python = re.findall(r"^ARG PYTHON_VERSION=(\S+)$", TEXT, re.MULTILINE)

    assert SPEC["job"]["jarURI"] == f"local:///opt/flink/opt/flink-python-{FLINK}.jar"
    assert SPEC["flinkVersion"] == "v" + "_".join(FLINK.split(".")[:2])
    assert f"flink-s3-fs-hadoop-{FLINK}.jar" in (FOLDER / "filesystems/jars.sha256").read_text()
    assert f"/python{python[0]}/site-packages/pipelines/flink.py" in SPEC["job"]["args"][1]


def test_the_options_of_the_job_are_valid() -> None:
    """The arguments of the manifest are options that the job accepts; the log is a secret by reference."""
    driver, script, *words = SPEC["job"]["args"]
    (container,) = SPEC["podTemplate"]["spec"]["containers"]
    given = parse(words)

    assert (driver, Path(script).name) == ("-py", "flink.py")
    assert given.control == {"default": "env:TOWPATH_CONTROL"}
    assert container["env"][0]["name"] == "TOWPATH_CONTROL"
    assert "secretKeyRef" in container["env"][0]["valueFrom"]


@pytest.mark.parametrize("name", ["towpath-heartbeats", "towpath-redis"])
def test_the_commands_of_relays_are_valid(name: str) -> None:
    """The command of each relay is accepted, runs in the image of the job, and names secrets only."""
    found = yaml.safe_load_all((FOLDER / "relays.yaml").read_text())
    (one,) = [each for each in found if each["metadata"]["name"] == name]
    (container,) = one["spec"]["template"]["spec"]["containers"]
    program, relay, *words = container["args"]
    given = parser_of(relay).parse_args(words)

    assert (program, relay, container["image"]) == ("towpath", "relay", SPEC["image"])
    assert given.brokers == "kafka.example:9092"
    assert all("secretKeyRef" in each["valueFrom"] for each in container.get("env", []))
    assert [each["name"] for each in container.get("env", [])] == [
        word.removeprefix("env:") for word in words if word.startswith("env:")
    ]
    assert "confluent-kafka" in pins("infra/flink/requirements.lock")
