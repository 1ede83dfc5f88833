"""``towpath simulate``: what it says of input that cannot be played."""

from __future__ import annotations

from pathlib import Path

import pytest

from towpath.cli.main import main

FLOW = "flow: hello\nenter: [{event: Signed Up}]\nsteps: {pause: {wait: 1h}, done: {end: done}}\n"


def test_what_is_not_a_flow_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that holds no flow is refused with words."""
    (tmp_path / "space.yaml").write_text("space: test\n")

    assert main(["simulate", str(tmp_path / "space.yaml")]) == 1
    assert "space.yaml: not a flow" in capsys.readouterr().err


def test_places_are_those_of_the_timeline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that cannot be played is named by the timeline's file and its own line there."""
    (tmp_path / "hello.yaml").write_text(FLOW)
    timeline = tmp_path / "mine.txt"
    timeline.write_text("2026-03-01 09:00 evnt A\n  said\nnonsense\n+1h event Signed Up\n+1h x\n")

    assert main(["simulate", str(tmp_path / "hello.yaml"), "--timeline", str(timeline)]) == 1
    err = capsys.readouterr().err
    assert [n for n in range(1, 7) if f"{timeline}:{n}:" in err] == [1, 3, 4, 5]
