"""Checks of goals and triggers that the flow itself may make true, and of what goals read."""

from __future__ import annotations

from collections.abc import Iterator

from transforms.flows.definitions.flow import GoalAudience, GoalWhen
from transforms.flows.definitions.shapes import Flaw
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.definitions.steps.updates import ChangeAudience, Update
from transforms.flows.definitions.triggers.profile import OnProfile
from transforms.flows.expressions.reads import reads_of
from transforms.flows.reading.checks.checked import Check, Checked


def _goal_messages(checked: Checked) -> Iterator[Flaw]:
    """Refuse goals on messages of their session, which are forgotten after its end."""
    for goal in checked.flow.goals:
        if isinstance(goal, GoalWhen) and reads_of(goal.when).communications:
            message = (
                "a goal cannot be on a message of the session, which is not kept after its end"
            )
            hint = "metrics count opens, clicks and replies of each step"
            yield Flaw(("goals", goal.name, "when"), "not-at-hand", message, hint)


def _own_goals(checked: Checked) -> Iterator[Flaw]:
    """Warn of goals that the flow reaches by itself: on a trait, tag or audience that it changes."""
    changed: dict[tuple[str, str], str] = {}
    for step in (*checked.main.steps, *checked.on_exit.steps):
        match step.verb:
            case Update() as update:
                changed |= {("trait", trait): step.name for trait in _traits(update)}
                changed |= {("tag", tag): step.name for tag in update.tag}
            case ChangeAudience(audience=audience, add=True):
                changed["audience", audience] = step.name
            case Send():
                changed["messages", "message"] = step.name
    for goal in checked.flow.goals:
        match goal:
            case GoalWhen(when=when):
                key, reads = "when", reads_of(when)
                read = {("trait", name) for name in reads.traits}
                read |= {("tag", name) for name in reads.tags}
                read |= {("audience", name) for name in reads.audiences}
                read |= {("messages", "message")} if reads.messages else set()
            case GoalAudience(audience=audience):
                key, read = "enters", {("audience", audience)}
            case _:
                continue
        for kind, name in sorted(read & changed.keys()):
            done = "sends messages" if kind == "messages" else f'changes the {kind} "{name}"'
            message = (
                f'step "{changed[kind, name]}" {done}, so the flow can reach this goal by itself'
            )
            hint = "a goal should be something that the user does"
            yield Flaw(("goals", goal.name, key), "own-goal", message, hint, severity="warning")


def _changes_itself(checked: Checked) -> Iterator[Flaw]:
    """Warn of a flow that starts itself: it is entered by changes of a trait that it changes."""
    changed = {
        trait: step.name
        for step in checked.main.steps
        if isinstance(step.verb, Update)
        for trait in _traits(step.verb)
    }
    for index, trigger in enumerate(checked.flow.enter):
        if isinstance(trigger, OnProfile) and trigger.trait in changed:
            message = (
                f'step "{changed[trigger.trait]}" changes "{trigger.trait}", which starts the '
                "flow again"
            )
            hint = "set another trait, or limit re-entries, for example reenter: {after: 1d}"
            keys = ("enter", index, "changed")
            yield Flaw(keys, "changes-itself", message, hint, severity="warning")


def _traits(update: Update) -> Iterator[str]:
    """Yield the names of the traits that a step changes."""
    for name, _ in (*update.set, *update.increment, *update.append):
        yield name.removeprefix("user.")


OWN_CHANGES: tuple[Check, ...] = (_goal_messages, _own_goals, _changes_itself)
"""Every check of this module."""
