"""``towpath simulate``: error messages for input that cannot be played, and ``--profile``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from towpath.cli.main import main

FLOW = "flow: hello\nenter: [{event: Signed Up}]\nsteps: {pause: {wait: 1h}, done: {end: done}}\n"


def test_a_file_that_is_not_a_flow_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that contains no flow is refused with a message."""
    (tmp_path / "space.yaml").write_text("space: test\n")

    assert main(["simulate", str(tmp_path / "space.yaml")]) == 1
    assert "space.yaml: not a flow" in capsys.readouterr().err


def test_errors_have_the_line_of_the_timeline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that cannot be played is reported with the timeline's file and line number."""
    (tmp_path / "hello.yaml").write_text(FLOW)
    timeline = tmp_path / "mine.txt"
    timeline.write_text("2026-03-01 09:00 evnt A\n  said\nnonsense\n+1h event Signed Up\n+1h x\n")

    assert main(["simulate", str(tmp_path / "hello.yaml"), "--timeline", str(timeline)]) == 1
    err = capsys.readouterr().err
    assert [n for n in range(1, 7) if f"{timeline}:{n}:" in err] == [1, 3, 4, 5]


def test_an_empty_timeline_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a line to play, a message says so."""
    (tmp_path / "hello.yaml").write_text(FLOW)
    (tmp_path / "mine.txt").write_text("\n")

    assert (
        main(["simulate", str(tmp_path / "hello.yaml"), "--timeline", f"{tmp_path}/mine.txt"]) == 0
    )
    assert "the timeline has no lines" in capsys.readouterr().err


def test_profile_shows_the_user_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With ``--profile`` the profile view of the user follows (C24), as text or as one line of
    JSON.
    """
    (tmp_path / "space.yaml").write_text("campaigns: {winter: {statuses: [new]}}\n")
    (tmp_path / "hello.yaml").write_text(FLOW)
    timeline = tmp_path / "mine.txt"
    timeline.write_text(
        '2026-03-01 09:00 profile {city: "Köln"}\n+1h upload winter {size: 3}\n'
        "+1h event Signed Up\n"
    )
    command = ["simulate", str(tmp_path / "hello.yaml"), "--timeline", str(timeline), "--profile"]

    assert main(command) == 0
    said = capsys.readouterr().out.split("user kim\n")[1].splitlines()
    assert said == [
        '  customer     {city: "Köln"}',
        "  participant  winter new since 2026-03-01 10:00, {size: 3}",
        "  session      hello/pause since 2026-03-01 11:00, until 2026-03-01 12:00",
    ]

    assert main([*command, "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["is"], last["customer"]) == ("person", {"city": "Köln"})
    assert last["participants"][0]["fields"] == {"size": 3}
