"""The flex template offers every option of the job, and its parameters become a command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.stream_options import problems_of
from pipelines.template import FORMS, command_line, options
from tests.packaging.repository import ROOT

METADATA = json.loads((ROOT / "infra/gcp/metadata.json").read_text())
FORM = {one["name"]: one["regexes"][0] for one in METADATA["parameters"]}

EVENTS = "projects/p-1/subscriptions/events"
GOOD = {
    "subscription": (EVENTS, f"{EVENTS} projects/p/subscriptions/h=handover,alias"),
    "timestamp_attribute": ("receipt",),
    "readers": ("1", "12"),
    "idle": ("never", "10", "0.5"),
    "control": ("gs://b/control.jsonl", "a=gs://b/a b=env:LOG", "shop=redis://h:1/0?space=shop"),
    "space": ("default", "shop-2"),
    "loose": ("true", "false"),
    "topics": ("project-1", "example.com:project"),
    "topic_prefix": ("live-",),
    "encoding": ("json", "avro"),
    "states": ("redis://10.0.0.3:6379/0", "env:TOWPATH_REDIS"),
    "epoch": ("0", "3"),
    "tables": ("gs://bucket/tables",),
    "stable_input": ("auto", "on", "off"),
    "unsafe_runner": ("true",),
    "file_rows": ("50000",),
    "file_wait": ("600",),
    "lateness": ("0", "604800"),
}
BAD = {
    "subscription": ("events", "projects/p/topics/events", f"{EVENTS}=everything", f"{EVENTS}  "),
    "readers": ("0", "-1", "two"),
    "idle": ("ever", "-1"),
    "loose": ("yes", ""),
    "encoding": ("xml",),
    "states": ("localhost:6379", "env:9"),
    "stable_input": ("true",),
    "tables": ("tables", "bucket/tables", "ftp://b/t"),
    "file_rows": ("0", "many"),
    "file_wait": ("0",),
    "lateness": ("-1", "7d"),
}


def test_every_option_is_a_parameter() -> None:
    """The template has each option of the job, with a help text, a form and an example here."""
    names = [option.name for option in options()]

    assert list(FORM) == names
    assert sorted(GOOD) == sorted(names)
    assert set(FORMS) == {option.name for option in options() if not option.switch}
    assert all(len(one["helpText"]) > len("Help.") for one in METADATA["parameters"])


def test_the_required_parameters_are_those_of_the_job() -> None:
    """The job asks for the parameters that the template requires."""
    required = [one["name"] for one in METADATA["parameters"] if not one["isOptional"]]
    asked = " ".join(problems_of(["--runner=DataflowRunner", "--tables=gs://b/t"]))

    assert required == re.findall(r"--(\w+) is required", asked)


@pytest.mark.parametrize("name", GOOD)
def test_what_the_job_accepts_fits_the_template(name: str) -> None:
    """Values of each parameter fit its form, and the job accepts them."""
    base = {"subscription": EVENTS, "control": "gs://b/log", "space": "", "tables": "gs://b/t"}
    for value in GOOD[name]:
        assert re.search(FORM[name], value)
        given = base | {name: value}
        if "a=" in value:
            given["space"] = "a"
        if name == "space":
            given["control"] = f"{value}=gs://b/log"
        if "shop=" in value:
            given["space"] = "shop"
        if name == "topics":
            given["subscription"] += " projects/p/subscriptions/h=handover"
        words = command_line([f"--{key}={word}" for key, word in given.items()])
        assert problems_of(["--runner=DataflowRunner", *words]) == []


@pytest.mark.parametrize("name", BAD)
def test_what_the_job_refuses_does_not_fit(name: str) -> None:
    """Wrong values do not fit the form, so the template refuses them before it starts anything."""
    assert [value for value in BAD[name] if re.search(FORM[name], value)] == []


def test_parameters_become_a_command_line() -> None:
    """Values separated by spaces are options of their own, switches have no value, empty ones go."""
    words = [
        "--runner=DataflowRunner",
        f"--subscription={EVENTS} projects/p/subscriptions/h=handover",
        "--loose=true",
        "--unsafe_runner=false",
        "--topic_prefix=",
        "--control=gs://b/log?x=1",
        "--experiments=a b",
    ]

    assert command_line(words) == [
        "--runner=DataflowRunner",
        f"--subscription={EVENTS}",
        "--subscription=projects/p/subscriptions/h=handover",
        "--loose",
        "--control=gs://b/log?x=1",
        "--experiments=a b",
    ]


@pytest.mark.slow
def test_the_entry_starts_the_job(tmp_path: Path) -> None:
    """The entry of the template refuses wrong parameters with the job's own messages."""
    entry = ROOT / "infra/gcp/launch.py"
    done = subprocess.run(
        [sys.executable, entry, "--runner=DataflowRunner", "--loose=true"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert "--subscription is required" in done.stderr
