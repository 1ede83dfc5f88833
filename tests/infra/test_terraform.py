"""The Terraform files: parsed, laid out as ``terraform fmt`` does, and checked against the code.

A provider cannot be had everywhere, so the arguments of its resources are in ``provider.json``;
``make terraform-schema`` writes them from packages.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import schemas
from pipelines.stream_options import HANDOVERS, topics_of
from pipelines.template import options
from tests.kit.terraform import (
    Block,
    attributes_used,
    blocks_of,
    is_block,
    layout_problems,
    references,
)
from tests.packaging.repository import ROOT
from towpath.cli.flows import serve
from towpath.control.index import KINDS as READ
from transforms.hosting.allowed import KINDS
from transforms.sinks.outgoing import EVENTS

FOLDER = ROOT / "infra/gcp"
FILES = sorted(FOLDER.glob("*.tf"))
BLOCKS = blocks_of(FOLDER)
PROVIDER = json.loads((Path(__file__).parent / "provider.json").read_text())
LOCALS = {
    name: value for block in BLOCKS if block.kind == "locals" for name, value in block.body.items()
}
RESOURCES = [block for block in BLOCKS if block.kind in ("resource", "data")]
META = {"count", "for_each", "provider", "depends_on", "lifecycle"}
"""What every resource may have."""


def words(value: str) -> list[str]:
    """List the texts in an expression."""
    return re.findall(r'"([^"]*)"', value)


def resource(address: str) -> dict[str, Any]:
    """Return the body of a resource."""
    (found,) = (block.body for block in RESOURCES if block.address == address)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_laid_out(path: Path) -> None:
    """Indents and the columns of = are those of terraform fmt."""
    assert list(layout_problems(path)) == []


def test_terraform_would_change_nothing() -> None:
    """Where terraform or OpenTofu is installed, its fmt agrees."""
    program = shutil.which("terraform") or shutil.which("tofu")
    if program is not None:  # not a skip: the layout is checked without it, too
        done = subprocess.run([program, "fmt", "-check", FOLDER], capture_output=True, text=True)
        assert done.stdout == ""
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  region  = var.region", "  region = var.region"),
        ("  project = var.project", "    project = var.project"),
        ("  project = var.project", "  project = var.project "),
    ],
)
def test_a_wrong_layout_is_found(before: str, after: str, tmp_path: Path) -> None:
    """Another indent, another column of = and a space at the end are found."""
    text = (FOLDER / "versions.tf").read_text()
    assert before in text
    (tmp_path / "versions.tf").write_text(text.replace(before, after, 1))

    assert list(layout_problems(tmp_path / "versions.tf")) != []


def test_files_are_short() -> None:
    """A file has at most 200 lines: one subject each."""
    assert {path.name: n for path in FILES if (n := len(path.read_text().splitlines())) > 200} == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_referred_to_is_declared(path: Path) -> None:
    """Every variable, local value and resource that a file uses is declared."""
    declared = {block.address for block in BLOCKS} | {f"local.{name}" for name in LOCALS}

    assert references(path) - declared == set()


def test_what_is_declared_is_used() -> None:
    """Every variable and local value is used."""
    used = {name for path in FILES for name in references(path)}
    declared = {block.address for block in BLOCKS if block.kind == "variable"}

    assert declared | {f"local.{name}" for name in LOCALS} <= used


def test_variables_and_outputs_are_described() -> None:
    """Every variable has a description and a type, every output a description."""
    for block in BLOCKS:
        if block.kind in ("variable", "output"):
            assert block.body["description"].endswith("."), block.address
        if block.kind == "variable":
            assert "type" in block.body, block.address


def unknown(body: dict[str, Any], known: dict[str, Any], where: str) -> Iterator[str]:
    """Find arguments and blocks that the provider does not know, and required ones that are missing."""
    blocks = {name for name, value in body.items() if is_block(value)}
    dynamic = {name for one in body.get("dynamic", ()) for name in one}
    for name in sorted(body.keys() - META - {"dynamic"}):
        if name not in known["blocks" if name in blocks else "arguments"]:
            yield f"{where}: {name}"
    required = {name for name, needed in known["arguments"].items() if needed}
    required |= {name for name, inner in known["blocks"].items() if inner["required"]}
    yield from (f"{where}: no {name}" for name in sorted(required - body.keys() - dynamic))
    for name in blocks & known["blocks"].keys():
        for one in body[name]:
            yield from unknown(one, known["blocks"][name], f"{where}.{name}")


@pytest.mark.parametrize("block", RESOURCES, ids=lambda block: block.address)
def test_the_provider_knows_every_argument(block: Block) -> None:
    """Each argument and block is one of the provider's, and the required ones are there."""
    kind = block.labels[0]
    known = PROVIDER[kind if block.kind == "resource" else f"data.{kind}"]

    assert list(unknown(block.body, known, block.address)) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_provider_knows_every_attribute(path: Path) -> None:
    """Each attribute that an expression reads is one of its resource."""
    unread = {
        (kind, name)
        for kind, name in attributes_used(path)
        if name not in PROVIDER.get(kind, PROVIDER.get(f"data.{kind}"))["attributes"]
    }

    assert unread == set()


def test_every_kind_has_its_topic() -> None:
    """The topics are those to which the job publishes, and those that it reads."""
    published = {topic.rpartition("/")[2] for topic in topics_of("p").values()}
    made = set(words(LOCALS["outputs"]))

    assert published - {EVENTS} == made
    assert {EVENTS, HANDOVERS} <= LOCALS["sources"].keys()
    allowed = {clean(kind) for kinds in LOCALS["sources"].values() for kind in kinds}
    assert allowed <= KINDS.keys()


def clean(text: str) -> str:
    """Return a text of a list without quotes."""
    return text.strip('"')


@pytest.mark.parametrize("kind", words(LOCALS["outputs"]))
def test_every_kind_has_a_schema_that_a_table_can_hold(kind: str) -> None:
    """Each output has a schema of types that have a column, and no field of Pub/Sub's own names."""
    fields = schemas.load(kind)["fields"]
    own = {"subscription_name", "message_id", "publish_time", "attributes"}

    assert own.isdisjoint(field["name"] for field in fields)
    assert {column for field in fields for column in types(field["type"])} <= LOCALS[
        "column_types"
    ].keys()


def types(of: Any) -> Iterator[str]:
    """List the names of types by which a column is chosen."""
    if isinstance(of, list):
        for one in of:
            yield from types(one)
    elif isinstance(of, dict):
        yield from types(of.get("items") or of.get("logicalType") or of["type"])
    elif of != "null":
        yield of


def test_the_job_gets_options_that_it_has() -> None:
    """Every parameter of the job is one of its options, and rows are Avro, as the topics need."""
    pairs = re.findall(r"^      (\w+) += |\"(\w+)\" =>", parameters(), re.MULTILINE)
    given = {name for pair in pairs for name in pair if name}
    assert given
    assert given <= {option.name for option in options()}
    assert re.search(r'encoding\s+= "avro"', parameters())


def parameters() -> str:
    """Return the text of the parameters."""
    text = (FOLDER / "job.tf").read_text()
    return text[text.index("parameters = merge(") : text.index("var.options,")]


def test_nothing_drains_the_job() -> None:
    """A job that is deleted is cancelled: a drain would end all waits. Its deletion needs an edit."""
    job = resource("google_dataflow_flex_template_job.stream")

    assert job["on_delete"] == "cancel"
    assert job["lifecycle"][0]["prevent_destroy"] is True


def test_what_cannot_be_delivered_is_kept() -> None:
    """What the job, the controller and BigQuery read has a dead-letter policy, and nothing expires."""
    for block in RESOURCES:
        if block.labels[0] != "google_pubsub_subscription":
            continue
        assert block.body["expiration_policy"] == [{"ttl": ""}], block.address
        if block.labels[1] in ("controller", "input", "table"):
            assert "dead_letter_policy" in block.body, block.address


def test_no_right_is_of_the_whole_project() -> None:
    """Data is only reached by rights on one topic, bucket or table; no account owns or edits."""
    roles = {
        block.body["role"] for block in RESOURCES if block.labels[0] == "google_project_iam_member"
    }

    assert roles == {
        "roles/dataflow.developer",
        "roles/dataflow.worker",
        "roles/logging.logWriter",
        "roles/monitoring.metricWriter",
    }
    assert not re.search(r"roles/(owner|editor|viewer)\"|\.admin\"", all_text())


def all_text() -> str:
    """Return the text of all files."""
    return "\n".join(path.read_text() for path in FILES)


def test_no_secret_is_written() -> None:
    """No file has a password or a key, and no account gets a key."""
    assert not re.search(r"password\s*=|private_key|service_account_key|auth_string", all_text())


def test_the_control_log_has_versions() -> None:
    """Each change of a control log can be undone, and its bucket cannot be deleted by accident."""
    bucket = resource("google_storage_bucket.control")

    assert bucket["versioning"] == [{"enabled": True}]
    assert bucket["lifecycle"][0]["prevent_destroy"] is True


def test_every_alert_becomes_a_policy() -> None:
    """The file of alerts has what the policies read, and the kinds of conditions that they know."""
    alerts = yaml.safe_load((ROOT / "infra/monitoring/alerts.yaml").read_text())["alerts"]

    assert {alert["condition"]["kind"] for alert in alerts} <= {"increase", "absence"}
    for alert in alerts:
        assert {"name", "metric", "condition", "for", "severity", "summary", "page"} <= alert.keys()
        assert {"kind", "above", "window"} == alert["condition"].keys()
    policies = resource("google_monitoring_alert_policy.this")
    assert "local.policies" in policies["for_each"]
    assert "local.job_alerts" in str(LOCALS["policies"])


def test_every_alert_of_a_service_has_a_section() -> None:
    """The page about deploying has a section for each alert of the services around the job."""
    page = (ROOT / clean(LOCALS["page"])).read_text()
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)

    assert set(LOCALS["service_alerts"]) <= set(headings)


def test_the_controller_starts_with_its_machine() -> None:
    """The configuration of the controller's machine is YAML, with every variable that it names."""
    text = (FOLDER / "controller.yaml.tftpl").read_text()
    named = set(re.findall(r"\$\{(\w+)\}", text))
    given = (FOLDER / "controller.tf").read_text().partition("templatefile(")[2].partition("})")[0]
    config = yaml.safe_load(re.sub(r"\$\{(\w+)\}", r"\1", text))

    assert named == set(re.findall(r"^\s+(\w+) += ", given, re.MULTILINE))
    assert text.startswith("#cloud-config\n")
    assert config.keys() == {"write_files", "bootcmd", "runcmd"}


def test_the_controller_gets_its_options() -> None:
    """The controller accepts the options that its machine gives it, and reads what it needs."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    serve.add_arguments(parser)
    flows, command, *options = words(LOCALS["serve"])
    given = parser.parse_args([one for one in options if one.startswith("--")])

    assert (flows, command) == ("flows", "serve")
    assert given.control
    assert given.outputs
    read = resource("google_pubsub_subscription.controller")["for_each"]
    assert sorted(words(read)) == sorted(READ)
