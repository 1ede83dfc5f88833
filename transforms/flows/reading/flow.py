"""A flow's file: its head, triggers, exits, goals and steps, and then the checks over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from transforms.flows.definitions.flow import EXIT_KINDS, FLOW, GOAL_KINDS, Flow, Goal, Steps
from transforms.flows.definitions.ports import Followed, ReadStep, follow
from transforms.flows.definitions.shapes import RecordsByName, StepKind, Variant, Variants
from transforms.flows.definitions.space import Space, Template
from transforms.flows.definitions.steps.kinds import STEP_KINDS
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS
from transforms.flows.diagnostics import Loaded, Report, Source, SourceCheck, quoted, suggest
from transforms.flows.reading.checks.checked import Checked
from transforms.flows.reading.checks.flow import check_flow
from transforms.flows.reading.keys import Keys, keys_of
from transforms.flows.reading.names import campaign_in, of_flow, of_space
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.nodes import Node, Scalar, compose
from transforms.flows.reading.secret_values import hide_secrets
from transforms.flows.reading.shapes import (
    leads_in,
    read_fields,
    read_shape,
    records_by_name,
    variant,
    variants,
)
from transforms.flows.reading.values import Reading

MAX_STEPS = 500

LEADS = tuple(dict.fromkeys(lead for kind in STEP_KINDS for lead in kind.leads))
"""Every key that makes a step."""

HEAD = tuple(field for field in FLOW.fields if not isinstance(field.form, Steps | Variants))
"""What a flow's file says besides triggers, exit rules and steps."""


def load_flow(
    path: str,
    text: str,
    space: Space,
    templates: Mapping[str, Template],
    flows: frozenset[str] | None = None,
    check_source: SourceCheck | None = None,
) -> Loaded[Flow]:
    """Read a flow from the text of its file and check it against its space and templates.

    ``path`` names the file in problems; its stem is the flow's id. ``flows`` are the flows
    beside it; without them a reference to another flow is not checked. ``check_source`` is the sandbox
    that is to run the flow's code; without it only the language is checked.
    """
    report = Report(Source(path, text))
    root = compose(report)
    hide_secrets(report, root)
    if not isinstance(root, Map):
        if root is not None:
            report.add(root.span, "wrong-kind", "a flow is a map of keys")
        return report.done(None)
    known = msgspec.structs.replace(of_flow(of_space(space), root), flows=flows)
    known = known.of_campaign(space, campaign_in(root))
    keys = Keys(Reading(report, known, check_source), root, "the flow")
    on_exit, main = _steps(keys, "on_exit"), _steps(keys, "steps")
    flow = _flow(keys, main, on_exit)
    keys.close()
    checked = Checked(root, report.codes, flow, main, on_exit, space, templates, known)
    check_flow(report, checked)
    return report.done(flow)


def load_goals(
    path: str, text: str, space: Space, campaign: str | None = None
) -> Loaded[tuple[Goal, ...]]:
    """Read the text of a ``goals`` section: the map of goals, with or without its heading.

    ``campaign`` is that of the flow.
    """
    report = Report(Source(path, text))
    root = compose(report)
    hide_secrets(report, root)
    if root is None:
        return report.done(None)
    section = root.get("goals") if isinstance(root, Map) and len(root.items) == 1 else None
    inner = section if isinstance(section, Map) and not _is_goal(section) else root
    known = of_space(space).at_hand("entry", "session").of_campaign(space, campaign)
    goals = RecordsByName(GOAL_KINDS, "a goal")
    return report.done(records_by_name(Reading(report, known), inner, goals))


def _is_goal(node: Map) -> bool:
    """Return True for a goal named ``goals``, as opposed to the section."""
    return any(isinstance(node.get(kind.leads[0]), Scalar) for kind in GOAL_KINDS)


def _flow(keys: Keys, main: Followed, on_exit: Followed) -> Flow:
    values, _ = read_fields(keys, HEAD)
    values["enter"] = keys.read("enter", partial(_triggers, keys.reading)) or ()
    values["exit"] = keys.read("exit", partial(_exit_rules, keys.reading)) or ()
    values |= {"steps": main.steps, "on_exit": on_exit.steps}
    flow: Flow = FLOW.make({"id": "", **values})
    return flow


# --- triggers and exit rules -------------------------------------------------------------------


def _triggers(reading: Reading, node: Node) -> tuple[Any, ...]:
    """Read the ways to enter, in the order listed; they read no session."""
    outside = Reading(reading.report, reading.known.at_hand())
    return variants(outside, node, "a trigger", TRIGGER_KINDS, _no_trigger, named=True)


def _exit_rules(reading: Reading, node: Node) -> tuple[Any, ...]:
    return variants(reading, node, "an exit rule", EXIT_KINDS, _no_exit)


def _no_trigger(keys: Keys, kinds: Sequence[Variant], leads: list[str]) -> None:
    if leads:
        message = f"a trigger is one of {quoted(leads)}, not several"
        keys.reading.problem(keys.lead, "two-kinds", message, "write two triggers")
        return
    known = [kind.leads[0] for kind in kinds]
    suggestions = (suggest(key.text, known) for key, _ in keys.node.items)
    help_ = next(filter(None, suggestions), "")
    keys.reading.problem(keys.lead, "unknown-trigger", "this is not a trigger", help_)


def _no_exit(keys: Keys, kinds: Sequence[Variant], leads: list[str]) -> None:
    message = 'an exit rule has one of "event", "when" and "left"'
    keys.reading.problem(keys.lead, "unknown-exit", message)


# --- steps -------------------------------------------------------------------------------------


def _steps(keys: Keys, section: str) -> Followed:
    """Read a map of steps."""
    node, reading = keys.get(section), keys.reading
    if node is None:
        return follow([])
    names = [key for key, _ in node.items] if isinstance(node, Map) else []
    if len(names) > MAX_STEPS:
        message = f"the flow has more than {MAX_STEPS} steps"
        reading.problem(names[MAX_STEPS], "too-many-steps", message)
    known = reading.known.within(frozenset(key.text for key in names))
    inside = Reading(reading.report, known, reading.check_source)
    return follow(keys.each(node, lambda key, value: _step(inside, key, value)))


def _step(reading: Reading, key: Scalar, node: Node) -> ReadStep:
    reading.name(key, "a step")
    keys = keys_of(reading, node, f'step "{key.text}"')
    if keys is None:
        return ReadStep(key.text, None, None)
    leads = leads_in(keys, STEP_KINDS)
    if len(leads) != 1:
        _no_verb(key, keys, leads)
        return ReadStep(key.text, None, keys.read("then", reading.step))
    kind = variant(keys, STEP_KINDS, leads[0])
    assert isinstance(kind, StepKind)
    verb = read_shape(keys, kind)
    then = _then(keys, kind)
    keys.close()
    return ReadStep(key.text, verb, then)


def _no_verb(key: Scalar, keys: Keys, leads: list[str]) -> None:
    if leads:
        message = f"{keys.what} has the verbs {quoted(leads)}"
        keys.reading.problem(key, "two-verbs", message, "make a step of each")
        return
    for name, _ in keys.node.items:
        hint = suggest(name.text, LEADS)
        if hint.startswith("did"):
            message = f'{keys.what} has the unknown verb "{name.text}"'
            keys.reading.problem(name, "unknown-verb", message, hint)
            return
    message = f"{keys.what} has no verb"
    keys.reading.problem(key, "unknown-verb", message, f"a step is one of {', '.join(LEADS)}")


def _then(keys: Keys, kind: StepKind) -> str | None:
    """Read where a step goes on; one with ports only has no ``then`` of its own."""
    own = {field.key for field in kind.fields}
    if kind.goes_on == "then":
        return keys.read("then", keys.reading.step)
    if kind.goes_on == "ports" and "then" not in own:
        node = keys.get("then")
        if node is not None:
            message = f"{keys.what} has branches, and each names its own step"
            hint = "else: names the step for all other cases" if "else" in own else ""
            keys.reading.problem(keys.node.key("then") or node, "unknown-key", message, hint)
            return keys.reading.step(node)
    return None
