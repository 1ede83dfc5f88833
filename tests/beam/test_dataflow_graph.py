"""The job graph for Dataflow: built by a dry run, held to a golden one and to the released ones.

Run with ``--rewrite`` after a change that is meant, and read the difference. A file in
``released_graphs`` is never rewritten: a job of that release may still run.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from apache_beam.portability.api import beam_runner_api_pb2 as protos

from tests.kit.dataflow_graph import (
    WORDS,
    Step,
    graph_of,
    keeps_data,
    lost_by_update,
    steps_of,
)
from tests.packaging.repository import files
from tests.packaging.wheels import copied

GOLDEN = Path(__file__).parent / "dataflow_graph.json"
RELEASED = sorted((Path(__file__).parent / "released_graphs").glob("*.json"))

RENAMED: dict[str, str] = {}
"""The names of today's steps by those of a release, which an update passes on to Dataflow as
``--transform_name_mapping``; the changelog of the release must say so.
"""


@pytest.fixture(scope="module")
def graph() -> protos.Pipeline:
    """Build the graph of a job with every sink."""
    return graph_of()


@pytest.fixture(scope="module")
def steps(graph: protos.Pipeline) -> dict[str, Step]:
    """Describe the steps of the graph."""
    return steps_of(graph)


def test_the_graph_does_not_change(steps: dict[str, Step], rewrite: bool) -> None:
    """Names, state ids, timers and coders of all steps are the golden ones."""
    if rewrite:
        GOLDEN.write_text(json.dumps(steps, indent=1, sort_keys=True) + "\n")

    assert steps == json.loads(GOLDEN.read_text())


def test_there_is_a_released_graph() -> None:
    """Updates are compared with at least one release."""
    assert RELEASED != []


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_a_released_job_can_be_updated(path: Path, steps: dict[str, Step]) -> None:
    """Every step for which a runner keeps data has the name, state and coders that it had."""
    before = json.loads(path.read_text())

    assert list(lost_by_update(before, steps, RENAMED)) == []


def test_the_state_of_users_is_bytes_with_one_alarm(steps: dict[str, Step]) -> None:
    """A user has one cell of bytes and one event-time timer, keyed by space and user."""
    run = steps["Flows/Run flows"]

    assert run["states"] == {"user": "value of bytes"}
    assert list(run["timers"].values()) == [
        "event time, timer<kv<string_utf8, string_utf8>, global_window>"
    ]


def test_the_job_reads_with_the_runners_own_source(graph: protos.Pipeline) -> None:
    """Both subscriptions are read by Dataflow itself, with the attributes of messages."""
    reads = [
        protos.PubSubReadPayload.FromString(one.spec.payload)
        for one in graph.components.transforms.values()
        if one.spec.urn == "beam:transform:pubsub_read:v1"
    ]

    assert sorted(read.subscription.rpartition("/")[2] for read in reads) == ["events", "handovers"]
    assert {read.with_attributes for read in reads} == {True}


def test_workers_use_the_image(graph: protos.Pipeline) -> None:
    """The job has one environment, the image, and no packages that workers would install."""
    (environment,) = graph.components.environments.values()
    image = protos.DockerPayload.FromString(environment.payload).container_image

    assert image == "images.example/towpath-worker:1"
    assert [one for one in environment.dependencies if b"requirements" in one.role_payload] == []


def broken(steps: dict[str, Step], change: str) -> dict[str, Step]:
    """Change the stateful step of users as a careless edit would."""
    run = dict(steps["Flows/Run flows"])
    rest = {name: step for name, step in steps.items() if name != "Flows/Run flows"}
    match change:
        case "name":
            return rest | {"Flows/Handle": run}
        case "state":
            run["states"] = {"person": "value of bytes"}
        case "coder":
            run["states"] = {"user": "value of FastPrimitivesCoder"}
        case "timer":
            run["timers"] = {"ts-other": "event time"}
    return rest | {"Flows/Run flows": run}


@pytest.mark.parametrize("change", ["name", "state", "coder", "timer"])
def test_a_careless_change_is_found(steps: dict[str, Step], change: str) -> None:
    """Another name, state id, coder or timer of a stateful step is reported."""
    (found,) = lost_by_update(steps, broken(steps, change), {})

    assert found.startswith("Flows/Run flows: ")


def test_a_renamed_step_needs_the_mapping(steps: dict[str, Step]) -> None:
    """A step may have another name if the mapping of an update names it."""
    now = broken(steps, "name")

    assert list(lost_by_update(steps, now, {"Flows/Run flows": "Flows/Handle"})) == []


def test_a_step_without_data_may_go(steps: dict[str, Step]) -> None:
    """A step for which a runner keeps nothing may be renamed or removed."""
    assert not keeps_data(steps["Flows/With dead letters"])
    now = {name: step for name, step in steps.items() if name != "Flows/With dead letters"}

    assert list(lost_by_update(steps, now, {})) == []


@pytest.mark.slow
def test_the_setup_file_packs_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``--setup_file ./setup.py`` workers get every module and schema of the project."""
    monkeypatch.chdir(copied(tmp_path / "copy"))
    graph = graph_of((*WORDS, "--setup_file=./setup.py"))
    (environment,) = graph.components.environments.values()
    paths = [
        protos.ArtifactFilePayload.FromString(one.type_payload).path
        for one in environment.dependencies
        if one.type_urn == "beam:artifact:type:file:v1"
    ]
    (package,) = (path for path in paths if path.endswith(".tar.gz"))
    with tarfile.open(package) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    needed = {
        path.as_posix()
        for path in files()
        if path.parts[0] in {"pipelines", "transforms", "schemas"}
        and path.suffix in {".py", ".avsc"}
    }

    assert needed - names == set()
