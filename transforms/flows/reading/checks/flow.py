"""Checks of a flow as a whole, after each of its parts was read.

Each check is one function; ``check_flow`` lists them. Places are looked up by the keys of the file.
"""

from __future__ import annotations

from collections.abc import Callable

from transforms.flows.definitions.ports import kind_of_step
from transforms.flows.definitions.steps.branches import Split
from transforms.flows.definitions.triggers.audiences import LAUNCHED, OnAudience, OnTag
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.triggers.profile import OnSchedule
from transforms.flows.diagnostics import Report, suggest
from transforms.flows.reading.checks.checked import Checked
from transforms.flows.reading.checks.graph import check_graph
from transforms.flows.reading.checks.inbound import no_messages
from transforms.flows.reading.checks.templates import check_templates
from transforms.flows.reading.checks.windows import closed_windows, whole_days
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.nodes import Sequence
from transforms.flows.reading.places import place, place_of_key


def check_flow(report: Report, root: Map, checked: Checked) -> None:
    """Report problems of the flow as a whole."""
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
        report.add(span, "no-trigger", "the flow has no trigger, so no user enters", known)


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
    """Refuse a metric of a winner that is neither a goal of the flow nor a status of messages (I28)."""
    known = (*(goal.name for goal in checked.flow.goals), *RESULTS)
    for step in checked.main.steps:
        winner = step.verb.winner if isinstance(step.verb, Split) else None
        if winner is not None and winner.metric not in known:
            span = place(root, "steps", step.name, "winner", "metric")
            said = f'"{winner.metric}" cannot be the metric of a winner: it is no goal of the flow'
            report.add(span, "unknown-metric", said, suggest(winner.metric, known))


def _once(report: Report, root: Map, checked: Checked) -> None:
    """Warn of re-entry if all users enter at one moment; refuse to run such a flow indefinitely (R28)."""
    enter = checked.flow.enter
    once = bool(enter) and all(_at_one_moment(trigger) for trigger in enter)
    again = checked.flow.reenter
    if once and checked.flow.schedule.indefinitely:
        span = place(root, "schedule", "indefinitely")
        said = "the flow is entered at one moment only, so it cannot run indefinitely"
        report.add(span, "one-time", said, "leave indefinitely out, or write when: member")
    if once and (again.after or again.limits):
        span = place_of_key(root, "reenter")
        said = "the flow is entered at one moment only, so no user re-enters"
        report.add(span, "one-time", said, "leave reenter out", "warning")


def _at_one_moment(trigger: Trigger) -> bool:
    """Return whether all users of a trigger enter at one moment (I21)."""
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
            said = f'step "{step.name}" waits, but steps of on_exit cannot wait'
            report.add(place_of_key(root, "on_exit", step.name), "wait-on-exit", said)
        if step.name in checked.known.steps:
            said = f'step "{step.name}" is in steps and in on_exit'
            known = "every step needs its own name"
            report.add(place_of_key(root, "on_exit", step.name), "duplicate-step", said, known)


PREDEFINED = ("audience", "tag", "people")
"""Keys of triggers on a predefined audience; the first two only with ``when: member`` or ``launch``."""

RESULTS = ("opened", "clicked", "replied")
"""Statuses of messages that may be the metric of a winner."""

CHECKS: tuple[Callable[[Report, Map, Checked], None], ...] = (
    _no_trigger,
    _no_steps,
    _member_twice,
    _goalless,
    _winners,
    _once,
    _waits_on_exit,
    closed_windows,
    whole_days,
    no_messages,
)
"""The checks of a flow's head; those of its graph and its templates follow."""
