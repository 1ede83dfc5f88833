"""The command that measures late input prints what the page on streaming quotes."""

from __future__ import annotations

import re
import sys

import pytest

from tests.kit import late
from tests.packaging.repository import ROOT

PAGE = ROOT / "docs" / "explanation" / "streaming.md"
LINE = re.compile(r"late by ([a-z0-9 ]+): (\d+) users differ")
HISTORIES = 16


@pytest.mark.slow
def test_only_late_input_changes_outputs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Input that is late by less than the allowed lateness gives the core's bytes; later may differ."""
    monkeypatch.setattr(sys, "argv", ["late", "--histories", str(HISTORIES)])
    assert late.main() == 0
    lines = capsys.readouterr().out.splitlines()

    rows = {found[1]: int(found[2]) for line in lines if (found := LINE.match(line))}
    assert len(rows) == len(lines)
    assert list(rows) == list(late.DELAYS)
    assert rows["nothing"] == rows["5 seconds"] == 0
    assert 0 < rows["a day"] <= HISTORIES


def test_the_page_has_a_row_for_each_delay() -> None:
    """The table of the page has the rows that the command prints, and names the command."""
    text = PAGE.read_text()
    rows = re.findall(r"^\| ([a-z0-9 ]+) \| \d+ \|$", text, re.MULTILINE)

    assert rows == list(late.DELAYS)
    assert "python -m tests.kit.late --histories" in text
