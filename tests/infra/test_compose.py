"""The local stack: a valid Compose file, whose command lines the programs accept."""

from __future__ import annotations

import argparse
import json
import os
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from google.cloud import pubsub_v1

from pipelines.stream_options import problems_of
from tests.infra.test_image import HADOLINT
from tests.kit.pubsub_server import PubSubServer
from tests.packaging.repository import ROOT
from towpath.cli.flows import serve
from towpath.control.index import KINDS

FILE = ROOT / "infra/docker-compose.yaml"
TEXT = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", FILE.read_text())
"""With the defaults of its variables."""
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]

READ = {
    found
    for name in ("job", "controller")
    for word in SERVICES[name]["command"]
    for found in re.findall(r"projects/local/subscriptions/[\w-]+", word)
}
"""The subscriptions that the services read."""


def test_the_file_is_valid() -> None:
    """The file is valid by the Compose specification, and names only volumes that it declares."""
    compose = PyCompose.from_json(json.dumps(yaml.safe_load(TEXT)))
    compose.validate()

    assert sorted(compose.service_names()) == sorted(SERVICES)


def test_a_wrong_file_is_found() -> None:
    """An unknown key of a service is refused."""
    with pytest.raises(ValueError, match="imagine"):
        PyCompose.from_yaml(TEXT.replace("image: redis", "imagine: redis"))


def test_the_command_line_of_the_job_is_valid() -> None:
    """The job accepts its options."""
    python, module, name, *words = SERVICES["job"]["command"]

    assert (python, module, name) == ("python", "-m", "pipelines.stream")
    assert problems_of(words) == []


def test_the_command_line_of_the_controller_is_valid() -> None:
    """The controller accepts its options, and reads the outputs that its index knows."""
    program, *names, control, index, publish = SERVICES["controller"]["command"][:6]
    outputs = SERVICES["controller"]["command"][6:]
    parser = argparse.ArgumentParser(exit_on_error=False)
    serve.add_arguments(parser)
    given = parser.parse_args([control, index, publish, *outputs])

    assert (program, *names) == ("towpath", "flows", "serve")
    assert sorted(one.rpartition("/controller-")[2] for one in given.outputs) == sorted(KINDS)


def test_ports_are_on_this_machine_only() -> None:
    """No port is open to the network."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_only_the_preparation_is_root() -> None:
    """The job and the commands run as nobody; only what gives them their folders is root."""
    dockerfile = (ROOT / "infra/local/Dockerfile").read_text()

    assert "USER 65534:65534" in dockerfile
    assert [name for name, service in SERVICES.items() if "user" in service] == ["prepare"]


def test_the_dockerfile_has_no_findings() -> None:
    """Hadolint finds nothing in the Dockerfile with Prism, which is of the version of Beam."""
    path = ROOT / "infra/local/Dockerfile"
    done = subprocess.run([HADOLINT, path], capture_output=True, text=True)

    assert done.stdout + done.stderr == ""


def test_the_preparation_makes_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preparation makes each subscription that the job and the controller read; twice is no error."""
    prepare = runpy.run_path(str(ROOT / "infra/local/prepare.py"))
    monkeypatch.setattr(os, "chown", lambda *_: None)
    with PubSubServer() as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.address)
        prepare["main"]([str(tmp_path)])
        prepare["main"]([str(tmp_path)])
        client = pubsub_v1.SubscriberClient()
        for path in READ:
            client.get_subscription(request={"subscription": path})
        client.close()
