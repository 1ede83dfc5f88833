"""Checks of the windows of steps: windows within the quiet hours, and days without hours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from transforms.flows.clock.windows import Window
from transforms.flows.definitions import forms
from transforms.flows.definitions.ports import kind_of_step
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.diagnostics import Report
from transforms.flows.reading.checks.checked import Checked
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.places import place

WEEK = 7 * 1440


def closed_windows(report: Report, root: Map, checked: Checked) -> None:
    """Refuse a message that could never leave: its window within the quiet hours (R14)."""
    quiet = checked.space.quiet_hours
    if quiet is None:
        return
    for section, step in checked.steps():
        window = step.verb.window if isinstance(step.verb, Send) else None
        if window is not None and _minutes(window) <= _minutes(quiet):
            said = f"{window.text} lies within the quiet hours, {quiet.text}"
            span = place(root, section, step.name, "window")
            report.add(span, "impossible-window", said, "no message would ever leave")


def whole_days(report: Report, root: Map, checked: Checked) -> None:
    """Warn of days without hours before days with hours: they are open all day."""
    for section, step in checked.steps():
        for key, window in _windows(step):
            for bare, full in pairwise(window.text.split(", ")):
                if ":" in full and ":" not in bare:
                    said = f'"{bare}" is open all day: the hours are those of "{full}" only'
                    known = f"write {bare} {full.split()[-1]}, or {bare} 00:00-24:00"
                    span = place(root, section, step.name, key)
                    report.add(span, "whole-day", said, known, "warning")


def _windows(step: Step) -> Iterator[tuple[str, Window]]:
    """Yield the windows of a step, each with its key."""
    kind = kind_of_step(step.verb)
    values = kind.values(step.verb)
    for field in kind.fields:
        if isinstance(field.form, forms.Window) and values[field.attribute] is not None:
            yield field.key, values[field.attribute]


@lru_cache(maxsize=256)
def _minutes(window: Window) -> frozenset[int]:
    """Return the minutes of the week in which a window is open."""
    minutes: set[int] = set()
    for span in window.spans:
        length = span.end - span.start if span.end > span.start else span.end + 1440 - span.start
        for day in span.days:
            start = day * 1440 + span.start
            minutes.update(minute % WEEK for minute in range(start, start + length))
    return frozenset(minutes)
