"""What is wrong with a flow as a whole, after each of its parts was read.

Each check is one function; ``check_flow`` lists them. Places are found by the keys of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise

from transforms.flows.clock.windows import Window
from transforms.flows.definitions import forms
from transforms.flows.definitions.ports import kind_of_step
from transforms.flows.definitions.steps.branches import Split
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.definitions.triggers.audiences import LAUNCHED, OnAudience, OnTag
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.triggers.profile import OnSchedule
from transforms.flows.diagnostics import Report, suggest
from transforms.flows.reading.checks.checked import Checked
from transforms.flows.reading.checks.graph import check_graph
from transforms.flows.reading.checks.inbound import unheard
from transforms.flows.reading.checks.templates import check_templates
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.nodes import Sequence
from transforms.flows.reading.places import place, place_of_key

WEEK = 7 * 1440


def check_flow(report: Report, root: Map, checked: Checked) -> None:
    """Report what does not fit together."""
    for check in CHECKS:
        check(report, root, checked)
    for section, followed in checked.sections():
        check_graph(report, root, section, followed)
    check_templates(report, root, checked)


def _no_trigger(report: Report, root: Map, checked: Checked) -> None:
    """Refuse a flow without a trigger (C6)."""
    node = root.get("enter")
    if node is None or (isinstance(node, Sequence) and not node.items):
        span = place_of_key(root, "enter")
        known = "add for example enter: [{event: Cart Updated}]"
        report.add(span, "no-trigger", "the flow has no trigger, so nobody enters", known)


def _no_steps(report: Report, root: Map, checked: Checked) -> None:
    node = root.get("steps")
    if node is None or (isinstance(node, Map) and not node.items):
        span = place_of_key(root, "steps")
        report.add(span, "no-steps", "the flow has no steps", "add for example done: {end: done}")


def _member_twice(report: Report, root: Map, checked: Checked) -> None:
    """Refuse a second predefined audience (I2)."""
    node = root.get("enter")
    seen = 0
    for trigger in node.items if isinstance(node, Sequence) else ():
        if not isinstance(trigger, Map):
            continue
        when = getattr(trigger.get("when"), "text", "") in LAUNCHED
        keys = [key for key in PREDEFINED if trigger.get(key) is not None]
        if keys and (when or "people" in keys):
            seen += 1
            if seen > 1:
                said = "a second audience whose members enter; a flow has at most one"
                report.add(place(trigger, keys[0]), "member-twice", said)


def _goalless(report: Report, root: Map, checked: Checked) -> None:
    if checked.flow.exit_on_goal and root.get("goals") is None:
        span = place_of_key(root, "exit_on_goal")
        said = "exit_on_goal is set, but the flow has no goals"
        report.add(span, "no-goals", said, "add goals, or leave exit_on_goal out")


def _winners(report: Report, root: Map, checked: Checked) -> None:
    """Refuse a winner by what is neither a goal of the flow nor a status of messages (I28)."""
    known = (*(goal.name for goal in checked.flow.goals), *RESULTS)
    for step in checked.main.steps:
        winner = step.verb.winner if isinstance(step.verb, Split) else None
        if winner is not None and winner.metric not in known:
            span = place(root, "steps", step.name, "winner", "metric")
            said = f'"{winner.metric}" decides no winner: it is no goal of the flow'
            report.add(span, "unknown-metric", said, suggest(winner.metric, known))


def _once(report: Report, root: Map, checked: Checked) -> None:
    """Warn of re-entry where everyone enters at one moment, which cannot be for good (R28)."""
    enter = checked.flow.enter
    once = bool(enter) and all(_at_one_moment(trigger) for trigger in enter)
    again = checked.flow.reenter
    if once and checked.flow.schedule.indefinitely:
        span = place(root, "schedule", "indefinitely")
        said = "the flow is entered at one moment only, so it does not run indefinitely"
        report.add(span, "one-time", said, "leave indefinitely out, or write when: member")
    if once and (again.after or again.limits):
        span = place_of_key(root, "reenter")
        said = "the flow is entered at one moment only, so nobody re-enters"
        report.add(span, "one-time", said, "leave reenter out", "warning")


def _at_one_moment(trigger: Trigger) -> bool:
    """Tell whether a trigger lets users in once, all together (I21)."""
    match trigger:
        case OnSchedule(moment=moment):
            return moment.kind == "date"
        case OnAudience(when=when) | OnTag(when=when):
            return when == "launch"
        case _:
            return False


def _waits_on_exit(report: Report, root: Map, checked: Checked) -> None:
    """Refuse waits among the steps that run when a session has ended (R23)."""
    for step in checked.on_exit.steps:
        if kind_of_step(step.verb).waits:
            said = f'step "{step.name}" waits, but a session that has ended waits for nothing'
            report.add(place_of_key(root, "on_exit", step.name), "wait-on-exit", said)
        if step.name in checked.known.steps:
            said = f'step "{step.name}" stands in steps and in on_exit'
            known = "each step has a name of its own"
            report.add(place_of_key(root, "on_exit", step.name), "duplicate-step", said, known)


def _closed_windows(report: Report, root: Map, checked: Checked) -> None:
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


def _whole_days(report: Report, root: Map, checked: Checked) -> None:
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
    """Give the windows of a step, each with its key."""
    kind = kind_of_step(step.verb)
    values = kind.values(step.verb)
    for field in kind.fields:
        if isinstance(field.form, forms.Window) and values[field.attribute] is not None:
            yield field.key, values[field.attribute]


@lru_cache(maxsize=256)
def _minutes(window: Window) -> frozenset[int]:
    """Return the minutes of the week in which a window is open."""
    found: set[int] = set()
    for span in window.spans:
        length = span.end - span.start if span.end > span.start else span.end + 1440 - span.start
        for day in span.days:
            start = day * 1440 + span.start
            found.update(minute % WEEK for minute in range(start, start + length))
    return frozenset(found)


PREDEFINED = ("audience", "tag", "people")
"""Triggers that a launch is over; the first two only where they say so."""

RESULTS = ("opened", "clicked", "replied")
"""Statuses of messages that a winner may be decided by."""

CHECKS: tuple[Callable[[Report, Map, Checked], None], ...] = (
    _no_trigger,
    _no_steps,
    _member_twice,
    _goalless,
    _winners,
    _once,
    _waits_on_exit,
    _closed_windows,
    _whole_days,
    unheard,
)
"""The checks of a flow's head; those of its graph and its templates follow."""
