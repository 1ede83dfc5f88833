"""The home folder of the image, and the job as an application, without Docker and Kubernetes."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from tests.kit.flink_cluster import ENVIRONMENT
from tests.packaging.repository import ROOT
from towpath.flink import settings
from towpath.flink.errors import FlinkError
from towpath.flink.local_cluster import free_port
from towpath.flink.rest import Rest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]

SPEC: dict[str, Any] = yaml.safe_load((ROOT / "infra/flink/deployment.yaml").read_text())["spec"]
ELSEWHERE = ("kubernetes.", "high-availability.", "execution.checkpointing.dir", "metrics.")


def configuration(folder: Path, port: int) -> settings.Settings:
    """Return the settings of the manifest, with those of a local cluster for what is elsewhere."""
    found = SPEC["flinkConfiguration"].items()
    here = settings.local(folder, rest=port, rpc=free_port())
    return (
        here
        | {name: value for name, value in found if not name.startswith(ELSEWHERE)}
        | {"execution.checkpointing.savepoint-dir": here["execution.checkpointing.savepoint-dir"]}
    )


def test_the_manifest_is_an_application(java: Path, tmp_path: Path) -> None:
    """The home folder of the image starts a JobManager that builds the job of the manifest by itself,
    with the manifest's entry point, options and settings.
    """
    home, port = tmp_path / "home", free_port()
    connectors, files = tmp_path / "connectors", tmp_path / "filesystems"
    connectors.mkdir()
    files.mkdir()
    for jar in (ENVIRONMENT.folder / "lib").glob("*.jar"):
        if not jar.is_symlink():
            shutil.copy(jar, connectors)
    ZipFile(files / "flink-s3-fs-hadoop-2.3.0.jar", "w").close()
    command = [ROOT / "infra/flink/assemble-home", ENVIRONMENT.python, connectors, files, home]
    subprocess.run(command, check=True)
    assert (home / "plugins/flink-s3-fs-hadoop/flink-s3-fs-hadoop-2.3.0.jar").exists()

    (home / "conf/config.yaml").write_text(settings.to_yaml(configuration(tmp_path, port)))
    kept = ENVIRONMENT.variables(home / "conf", home / "log")
    env = {name: value for name, value in kept.items() if name != "FLINK_LIB_DIR"}
    env |= {"FLINK_HOME": str(home), "TOWPATH_CONTROL": "control.jsonl"}
    script = str(ENVIRONMENT.packages / "pipelines/flink.py")
    words = [
        script if word.endswith("pipelines/flink.py") else word for word in SPEC["job"]["args"]
    ]
    entry = ["--job-classname", SPEC["job"]["entryClass"]]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [home / "bin/standalone-job.sh", "start-foreground", *entry, *words],
            env=env, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        while (job := submitted(Rest(f"http://127.0.0.1:{port}"))) is None:
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.2)
    finally:
        process.kill()
        process.wait()

    assert job == "towpath"


def submitted(rest: Rest) -> str | None:
    """Return the name of the job, once it is there."""
    try:
        return rest.jobs()[0].name
    except (FlinkError, IndexError):
        return None
