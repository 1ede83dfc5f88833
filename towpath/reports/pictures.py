"""The pictures of a replay: the funnel of each flow, and messages and goals by week."""

from __future__ import annotations

from pathlib import Path

from towpath.reports.funnel import Report
from towpath.reports.funnel_picture import funnel
from towpath.reports.weekly_picture import weekly


def draw(report: Report, out: Path) -> None:
    """Write ``funnel.svg`` and ``weekly.svg`` beside the results."""
    (out / "funnel.svg").write_text(funnel(report.flows), encoding="utf-8")
    (out / "weekly.svg").write_text(weekly(report.weeks, report.until), encoding="utf-8")
