"""Checks of a flow as a whole, after each of its parts was read.

Each check is one function that yields what it finds.
"""

from __future__ import annotations

from collections.abc import Iterator

from transforms.flows.definitions.flow import ExitEvent, GoalAudience, exit_names
from transforms.flows.definitions.shapes import Flaw
from transforms.flows.definitions.steps.branches import Split
from transforms.flows.definitions.steps.waits import CaseAudience, CaseEvent, WaitFor
from transforms.flows.definitions.triggers.audiences import LAUNCHED, OnAudience, OnTag
from transforms.flows.definitions.triggers.events import OnCombination
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.triggers.profile import OnSchedule
from transforms.flows.diagnostics import Report, suggest
from transforms.flows.expressions.reads import reads_of
from transforms.flows.reading.checks.checked import Check, Checked
from transforms.flows.reading.checks.own_changes import OWN_CHANGES
from transforms.flows.reading.checks.steps import STEP_CHECKS
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.nodes import Sequence, items_of, text_of
from transforms.flows.reading.spans import report_flaw

PREDEFINED = ("audience", "tag", "people")
"""Keys of triggers on a predefined audience; the first two only with ``when: member`` or ``launch``."""

RESULTS = ("opened", "clicked", "replied")
"""Statuses of messages that may be the metric of a winner."""


def check_flow(report: Report, checked: Checked) -> None:
    """Report problems of the flow as a whole."""
    for check in (*CHECKS, *OWN_CHANGES, *STEP_CHECKS):
        for flaw in check(checked):
            report_flaw(report, checked.root, flaw)


def _no_trigger(checked: Checked) -> Iterator[Flaw]:
    """Refuse a flow without a trigger (C6)."""
    node = checked.root.get("enter")
    if node is None or (isinstance(node, Sequence) and not node.items):
        message = "the flow has no trigger, so no user enters"
        hint = "add for example enter: [{event: Cart Updated}]"
        yield Flaw(("enter",), "no-trigger", message, hint, at_key=True)


def _no_steps(checked: Checked) -> Iterator[Flaw]:
    node = checked.root.get("steps")
    if node is None or (isinstance(node, Map) and not node.items):
        hint = "add for example done: {end: done}"
        yield Flaw(("steps",), "no-steps", "the flow has no steps", hint, at_key=True)


def _first_compares(checked: Checked) -> Iterator[Flaw]:
    """Refuse ``entry.`` in the condition of the first part of a combination: it is that part."""
    for index, trigger in enumerate(checked.flow.enter):
        if not isinstance(trigger, OnCombination) or trigger.how not in ("all", "sequence"):
            continue
        first = trigger.parts[0].where
        if first is not None and reads_of(first).entry_fields:
            message = "the first part has no earlier part: there is no entry to read here"
            hint = "compare in a later part, for example where: event.cart == entry.cart"
            yield Flaw(("enter", index, trigger.how, 0, "where"), "not-at-hand", message, hint)


def _member_twice(checked: Checked) -> Iterator[Flaw]:
    """Refuse a second predefined audience (I2)."""
    predefined = []
    for index, trigger in enumerate(items_of(checked.root.get("enter"))):
        if not isinstance(trigger, Map):
            continue
        when = text_of(trigger.get("when")) in LAUNCHED
        keys = [key for key in PREDEFINED if trigger.get(key) is not None]
        if keys and (when or "people" in keys):
            predefined.append(("enter", index, keys[0]))
    for keys_of_second in predefined[1:]:
        message = "a second audience whose members enter; a flow has at most one"
        yield Flaw(keys_of_second, "member-twice", message)


def _goalless(checked: Checked) -> Iterator[Flaw]:
    if checked.flow.exit_on_goal and checked.root.get("goals") is None:
        message = "exit_on_goal is set, but the flow has no goals"
        hint = "add goals, or leave exit_on_goal out"
        yield Flaw(("exit_on_goal",), "no-goals", message, hint, at_key=True)


def _winners(checked: Checked) -> Iterator[Flaw]:
    """Refuse a metric of a winner that is neither a goal of the flow nor a status of messages (I28)."""
    known = (*(goal.name for goal in checked.flow.goals), *RESULTS)
    for step in checked.main.steps:
        winner = step.verb.winner if isinstance(step.verb, Split) else None
        if winner is not None and winner.metric not in known:
            keys = ("steps", step.name, "winner", "metric")
            message = (
                f'"{winner.metric}" cannot be the metric of a winner: it is no goal of the flow'
            )
            yield Flaw(keys, "unknown-metric", message, suggest(winner.metric, known))


def _once(checked: Checked) -> Iterator[Flaw]:
    """Warn of re-entry if all users enter at one moment; refuse to run such a flow indefinitely (R28)."""
    flow = checked.flow
    if not flow.enter or not all(map(at_one_moment, flow.enter)):
        return
    if flow.schedule.indefinitely:
        message = "the flow is entered at one moment only, so it cannot run indefinitely"
        hint = "leave indefinitely out, or write when: member"
        yield Flaw(("schedule", "indefinitely"), "one-time", message, hint)
    if flow.reenter.after or flow.reenter.limits:
        message = "the flow is entered at one moment only, so no user re-enters"
        yield Flaw(
            ("reenter",), "one-time", message, "leave reenter out", at_key=True, severity="warning"
        )


def _exits_first(checked: Checked) -> Iterator[Flaw]:
    """Warn of a wait for an event that always ends the session first, by an exit rule (R23)."""
    always = {
        rule.match.event
        for rule in checked.flow.exit
        if isinstance(rule, ExitEvent) and rule.match.where is None
    }
    for step in checked.main.steps:
        cases = step.verb.cases if isinstance(step.verb, WaitFor) else ()
        for index, case in enumerate(cases):
            if isinstance(case, CaseEvent) and case.match.event in always:
                message = f'"{case.match.event}" is also an exit rule, which ends the session first'
                hint = "leave the case out, or give the exit rule a where:"
                keys = ("steps", step.name, "wait_for", index, "event")
                yield Flaw(keys, "exits-first", message, hint, severity="warning")


def _already_inside(checked: Checked) -> Iterator[Flaw]:
    """Warn of a wait or goal on an audience to be entered where every user of the flow is in it."""
    inside = {_audience_of(trigger) for trigger in checked.flow.enter}
    if len(inside) != 1 or None in inside:
        return
    for step in checked.main.steps:
        cases = step.verb.cases if isinstance(step.verb, WaitFor) else ()
        for place, case in enumerate(cases):
            if (
                isinstance(case, CaseAudience)
                and case.when == "entered"
                and case.audience in inside
            ):
                keys = ("steps", step.name, "wait_for", place, "enters")
                yield _never_outside(keys, case.audience, "during this wait")
    for goal in checked.flow.goals:
        if isinstance(goal, GoalAudience) and goal.audience in inside:
            yield _never_outside(("goals", goal.name, "enters"), goal.audience, "afterwards")


def _never_outside(keys: tuple[str | int, ...], audience: str, when: str) -> Flaw:
    message = f'users of this flow are in "{audience}" when they start; enters: {audience} is '
    message += f"only true if they leave it and enter it again {when}"
    hint = f"when: audience.{audience} is true for users who are in it" if "wait" in when else ""
    return Flaw(keys, "already-inside", message, hint, severity="warning")


def _audience_of(trigger: Trigger) -> str | None:
    """Return the audience that users are in when the trigger starts the flow."""
    match trigger:
        case OnAudience(audience=audience, when=when) if when != "left":
            return audience
        case OnSchedule(audience=audience):
            return audience
        case _:
            return None


def at_one_moment(trigger: Trigger) -> bool:
    """Return whether all users of a trigger enter at one moment (I21)."""
    match trigger:
        case OnSchedule(moment=moment):
            return moment.kind == "date"
        case OnAudience(when=when) | OnTag(when=when):
            return when == "launch"
        case _:
            return False


def _exit_names(checked: Checked) -> Iterator[Flaw]:
    return exit_names(checked.flow.exit)


CHECKS: tuple[Check, ...] = (
    _exit_names,
    _no_trigger,
    _no_steps,
    _first_compares,
    _member_twice,
    _goalless,
    _winners,
    _once,
    _exits_first,
    _already_inside,
)
"""Every check of a flow's head and triggers."""
