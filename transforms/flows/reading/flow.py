"""A flow's file: its head, triggers, exits, goals and steps, and then the checks over all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import msgspec

from transforms.flows.definitions.exits import GOAL, Goal
from transforms.flows.definitions.flow import FLOW, Flow, Steps
from transforms.flows.definitions.shapes import RecordsByName, Variants
from transforms.flows.definitions.space import Space, Template
from transforms.flows.definitions.step_order import Followed, follow
from transforms.flows.diagnostics import Loaded, Report, Source, SourceCheck
from transforms.flows.reading.checks.checked import Checked
from transforms.flows.reading.checks.flow import check_flow
from transforms.flows.reading.entry import exit_rules, triggers
from transforms.flows.reading.keys import Keys
from transforms.flows.reading.names import campaign_in, of_flow, of_space
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.nodes import Node, compose
from transforms.flows.reading.shapes import read_fields, records_by_name
from transforms.flows.reading.steps import steps
from transforms.flows.reading.values import Reading

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
    if root is None:
        return report.done(None)
    if not isinstance(root, Map):
        report.add(root.span, "wrong-kind", "a flow is a map of keys")
        return report.done(None)
    known = msgspec.structs.replace(of_flow(of_space(space), root), flows=flows)
    known = known.of_campaign(space, campaign_in(root))
    reading = Reading(report, known)
    keys = Keys(reading, root, "the flow")
    on_exit = _steps(Reading(report, known, check_source), keys.get("on_exit"), "on_exit")
    main = _steps(Reading(report, known, check_source), keys.get("steps"), "steps")
    flow = _flow(reading, keys, main, on_exit)
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
    if root is None:
        return report.done(None)
    section = root.get("goals") if isinstance(root, Map) and len(root.items) == 1 else None
    inner = section if isinstance(section, Map) and section.get("event") is None else root
    known = of_space(space).at_hand("entry", "session").of_campaign(space, campaign)
    form = RecordsByName((GOAL,), "a goal")
    return report.done(records_by_name(Reading(report, known), inner, form))


def _steps(reading: Reading, node: Node | None, what: str) -> Followed:
    if node is None:
        return follow([])
    names = frozenset(key.text for key, _ in node.items) if isinstance(node, Map) else frozenset()
    inside = Reading(reading.report, reading.known.within(names), reading.check_source)
    return follow(steps(inside, node, what))


def _flow(reading: Reading, keys: Keys, main: Followed, on_exit: Followed) -> Flow:
    values, _ = read_fields(keys, HEAD)
    enter = keys.read("enter", partial(triggers, reading))
    exits = keys.read("exit", partial(exit_rules, reading))
    values |= {"enter": enter or (), "exit": exits or ()}
    values |= {"steps": main.steps, "on_exit": on_exit.steps}
    flow: Flow = FLOW.make({"id": "", **values})
    return flow
