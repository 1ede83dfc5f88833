"""``towpath fmt``: formats files in place or only checks; never changes a file that it cannot read."""

from __future__ import annotations

import json

import pytest

from towpath.cli.main import main

MESSY = "flow: hello\nenter: [{event: Signed Up}]   # news\nsteps: {done: {end: done}}\n"
TIDY = "flow: hello\n\nenter:                        # news\n  - event: Signed Up\n\nsteps:\n  done: {end: done}\n"
BROKEN = "flow: broken\nenter: [{evnt: Signed Up}]\nsteps: {done: {end: done}}\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "space.yaml").write_text("space: test\n")
    (tmp_path / "hello.yaml").write_text(MESSY)
    return tmp_path


def test_a_folder_is_formatted_in_place(folder, capsys):
    """Each flow of the folder is rewritten, the space is not; a second run changes nothing."""
    assert main(["fmt", str(folder)]) == 0
    assert (folder / "hello.yaml").read_text() == TIDY
    assert (folder / "space.yaml").read_text() == "space: test\n"
    assert "formatted" in capsys.readouterr().err
    assert main(["fmt", str(folder)]) == 0
    assert "1 flow already formatted" in capsys.readouterr().err


def test_check_shows_a_diff_and_writes_nothing(folder, capsys):
    """With --check the diff is printed, the file is unchanged, and the exit code is 1."""
    assert main(["fmt", "--check", str(folder / "hello.yaml")]) == 1
    assert (folder / "hello.yaml").read_text() == MESSY
    out = capsys.readouterr().out

    assert "-steps: {done: {end: done}}" in out
    assert "+  done: {end: done}" in out


def test_a_broken_flow_is_not_changed(folder, capsys):
    """The problems of a broken flow are shown, other flows are formatted, and the exit code is 1."""
    (folder / "broken.yaml").write_text(BROKEN)

    assert main(["fmt", str(folder)]) == 1
    assert (folder / "broken.yaml").read_text() == BROKEN
    assert (folder / "hello.yaml").read_text() == TIDY
    assert "broken.yaml:2:" in capsys.readouterr().err


def test_json_prints_the_state_of_each_file(folder, capsys):
    """With --json stdout has one object per file and nothing else."""
    (folder / "broken.yaml").write_text(BROKEN)

    assert main(["fmt", "--json", "--check", str(folder)]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [item["state"] for item in found] == ["unreadable", "changed"]


@pytest.mark.parametrize("name", ["nowhere", "nowhere.yaml"])
def test_a_missing_path_is_a_usage_error(folder, name, capsys):
    """A path that does not exist is named, with exit code 2."""
    assert main(["fmt", str(folder / name)]) == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_a_flow_without_its_ending_is_suggested(folder, capsys):
    """A path that lacks the ending .yaml of a flow is reported with the path that is meant."""
    (folder / "late.yaml").write_text(BROKEN)

    assert main(["fmt", str(folder / "late")]) == 2
    assert f"did you mean {folder / 'late.yaml'}?" in capsys.readouterr().err


def test_a_folder_without_flows_is_a_usage_error(tmp_path, capsys):
    """A folder without flows is a usage error: probably the wrong folder."""
    assert main(["fmt", str(tmp_path)]) == 2
    assert "no flows" in capsys.readouterr().err


def test_subfolders_are_separate_projects(folder):
    """A flow in a subfolder is read with the space of that subfolder."""
    below = folder / "other"
    below.mkdir()
    (below / "space.yaml").write_text("space: other\naudiences: {vip: static}\n")
    (below / "vips.yaml").write_text("flow: vips\nenter: [{audience: vip}]\nsteps: {a: {end: x}}\n")

    assert main(["fmt", str(folder)]) == 0
    assert (below / "vips.yaml").read_text().startswith("flow: vips\n\nenter:\n  - audience: vip\n")
