"""``towpath graph``: one flow in three formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from towpath.cli.main import main

FLOW = "flow: hello\nenter: [{event: Signed Up}]\nsteps: {pause: {wait: 1h}, done: {end: done}}\n"


@pytest.fixture
def flow(tmp_path):
    path = tmp_path / "hello.yaml"
    path.write_text(FLOW)
    return path


def test_mermaid_is_printed_by_default(flow, capsys):
    """Without options the Mermaid text is printed."""
    assert main(["graph", str(flow)]) == 0
    assert capsys.readouterr().out.startswith("flowchart TD\n")


@pytest.mark.parametrize(
    ("name", "start"), [("a.svg", "<svg "), ("a.json", "{"), ("a.md", "flowchart")]
)
def test_the_file_extension_chooses_the_format(flow, tmp_path, name, start, capsys):
    """``--out`` writes the file in the format of its extension, and stdout is empty."""
    assert main(["graph", str(flow), "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_text("utf-8").startswith(start)
    assert not capsys.readouterr().out


def test_json_holds_nodes_and_edges(flow, capsys):
    """The JSON has nodes and edges, for a canvas."""
    assert main(["graph", str(flow), "--format", "json"]) == 0
    graph = json.loads(capsys.readouterr().out)

    assert [node["id"] for node in graph["nodes"]] == ["@enter0", "pause", "done"]
    assert graph["edges"][1] == {"source": "pause", "target": "done", "label": ""}


def test_a_flow_with_problems_is_not_drawn(flow, capsys):
    """Its problems are shown instead, with exit code 1."""
    flow.write_text(FLOW.replace("1h", "1 hr"))

    assert main(["graph", str(flow)]) == 1
    found = capsys.readouterr()

    assert "hello.yaml:3:" in found.err
    assert not found.out


@pytest.mark.parametrize("other", [".", "space.yaml"])
def test_anything_but_one_flow_is_a_usage_error(flow, other, capsys):
    """A folder of several flows or a file that is not a flow is refused with exit code 2."""
    (flow.parent / "space.yaml").write_text("space: test\n")
    (flow.parent / "two.yaml").write_text(FLOW.replace("hello", "two"))

    assert main(["graph", str(Path(flow.parent, other))]) == 2
    assert "give the file of one flow" in capsys.readouterr().err


def test_an_unknown_extension_is_refused(flow, tmp_path, capsys):
    """A file with an unknown extension is not written."""
    assert main(["graph", str(flow), "--out", str(tmp_path / "a.png")]) == 2
    assert '".png"' in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
