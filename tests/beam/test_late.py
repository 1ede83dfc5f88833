"""The command that measures late input prints what the page on streaming quotes."""

from __future__ import annotations

import re
import sys

import pytest

from tests.kit import late
from tests.packaging.repository import ROOT

PAGE = ROOT / "docs" / "explanation" / "streaming.md"
LINE = re.compile(
    r"late by ([a-z ]+): (\d+) differ from the order of receipts, (\d+) from that of arrival"
)
HISTORIES = 16


@pytest.mark.slow
def test_only_late_input_changes_outputs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Input in order gives the core's bytes; late input may differ, more often by ingestion time."""
    monkeypatch.setattr(sys, "argv", ["late", "--histories", str(HISTORIES)])
    assert late.main() == 0
    lines = capsys.readouterr().out.splitlines()

    rows = {found[1]: (int(found[2]), int(found[3])) for line in lines if (found := LINE.match(line))}  # fmt: skip
    assert len(rows) == len(lines)
    assert list(rows) == list(late.DELAYS)
    assert rows["nothing"] == (0, 0)
    assert 0 < rows["a day"][0] <= HISTORIES
    assert all(arrival <= receipts for receipts, arrival in rows.values())


def test_the_page_has_a_row_for_each_delay() -> None:
    """The table of the page has the rows that the command prints, and names the command."""
    text = PAGE.read_text()
    rows = re.findall(r"^\| ([a-z ]+) \| \d+ \| \d+ \|$", text, re.MULTILINE)

    assert rows == list(late.DELAYS)
    assert "python -m tests.kit.late --histories" in text
