"""A flow's file: its head, triggers, exits, goals and steps, and then the checks over all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

import msgspec

from transforms.flows.definitions.flow import Flow, Goal, Schedule
from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.space import Space, Template
from transforms.flows.definitions.step_order import Followed, follow
from transforms.flows.diagnostics import Judge, Loaded, Report, Source
from transforms.flows.reading.campaigns import campaign_in
from transforms.flows.reading.checks import flow as checks
from transforms.flows.reading.fields import Fields, fields
from transforms.flows.reading.names import of_flow, of_space
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.nodes import Node, compose
from transforms.flows.reading.steps import steps
from transforms.flows.reading.triggers import exit_rules, goals, reenter, triggers
from transforms.flows.reading.values import Reading

_STEM = re.compile(r"([^/\\]*?)(\.ya?ml)?$")


def load_flow(
    path: str,
    text: str,
    space: Space,
    templates: Mapping[str, Template],
    flows: frozenset[str] | None = None,
    judge: Judge | None = None,
) -> Loaded[Flow]:
    """Read a flow from the text of its file and check it against its space and templates.

    ``path`` names the file in problems; its stem is the flow's id. ``flows`` are the flows
    beside it; without them a reference to another flow is not checked. ``judge`` is the sandbox
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
    found = Fields(reading, root, "the flow")
    on_exit = _steps(Reading(report, known, judge), found.get("on_exit"), "on_exit")
    main = _steps(Reading(report, known, judge), found.get("steps"), "steps")
    flow = _flow(reading, found, path, main, on_exit)
    found.close()
    checks.check_flow(report, root, checks.Checked(flow, main, on_exit, space, templates, known))
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
    return report.done(goals(Reading(report, known), inner))


def _steps(reading: Reading, node: Node | None, what: str) -> Followed:
    if node is None:
        return follow([])
    names = frozenset(key.text for key, _ in node.items) if isinstance(node, Map) else frozenset()
    inside = Reading(reading.report, reading.known.within(names), reading.judge)
    return follow(steps(inside, node, what))


def _flow(reading: Reading, found: Fields, path: str, main: Followed, on_exit: Followed) -> Flow:
    outside = Reading(reading.report, reading.known.at_hand())
    enter = found.read("enter", partial(triggers, outside))
    keyed = Reading(reading.report, reading.known.at_hand("entry"))
    exits = found.read("exit", partial(exit_rules, reading))
    again = found.read("reenter", lambda node: reenter(reading, node))
    campaign = found.read("campaign", reading.campaign)
    several = found.read("simultaneous", reading.flag)
    return Flow(
        id=found.need("flow", lambda node: _id(reading, node, path)) or "",
        about=found.read("about", reading.text) or "",
        priority=found.read("priority", reading.whole) or 0,
        zone=found.read("zone", reading.zone),
        schedule=found.read("schedule", lambda node: _schedule(reading, node)) or Schedule(),
        holdout=found.read("holdout", reading.percent) or 0,
        enter=enter or (),
        key=found.read("key", keyed.value),
        simultaneous=campaign is not None if several is None else several,
        reenter=again or Reenter(),
        exit=exits or (),
        goals=found.read("goals", lambda node: goals(reading, node)) or (),
        exit_on_goal=found.flag("exit_on_goal"),
        on_exit=on_exit.steps,
        steps=main.steps,
        group=found.read("group", reading.group),
        campaign=campaign,
    )


def _id(reading: Reading, node: Node, path: str) -> str | None:
    name = reading.name(node, "a flow")
    stem = _STEM.search(path)
    if name is not None and stem is not None and stem[1] != name:
        said = f'the flow is called "{name}", but its file "{stem[0]}"'
        reading.problem(node, "flow-name", said, f'name the file "{name}.yaml"')
    return name


def _schedule(reading: Reading, node: Node) -> Schedule | None:
    found = fields(reading, node, "schedule")
    if found is None:
        return None
    start, end = found.read("start", reading.instant), found.read("end", reading.instant)
    at_end = found.read("at_end", lambda inner: reading.one_of(inner, ("drain", "stop")))
    indefinitely = found.flag("indefinitely")
    found.close()
    return Schedule(start, end, at_end or "drain", indefinitely)  # type: ignore[arg-type]
