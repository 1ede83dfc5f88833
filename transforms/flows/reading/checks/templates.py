"""Checks of the templates that steps use: they exist, and so does what they read."""

from __future__ import annotations

from collections.abc import Collection

from transforms.flows.definitions.used import UsedTemplate, templates_of
from transforms.flows.diagnostics import Report, suggest
from transforms.flows.expressions.types import MESSAGE
from transforms.flows.reading.checks.checked import Checked
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.places import place

SESSION = ("id", "started")
OWN_TRAITS = ("id", "timezone")


def check_templates(report: Report, root: Map, checked: Checked) -> None:
    """Report templates that do not exist, and what they read that does not exist."""
    for section, step in checked.steps():
        for used in templates_of(step.verb):
            span = place(root, section, step.name, used.key)
            _check(report, checked, step.name, used, span)


def _check(
    report: Report, checked: Checked, step: str, used: UsedTemplate, span: tuple[int, int]
) -> None:
    template = checked.templates.get(used.name)
    if template is None:
        said = f'step "{step}" uses template "{used.name}", which does not exist'
        known = suggest(used.name, checked.templates)
        known = known or f"add messages/{used.name}.liquid beside the flow"
        report.add(span, "unknown-template", said, known)
        return
    for path in template.reads:
        names = _readable(checked, used, path[0])
        if len(path) < 2 or names is None or path[1] in names:
            continue
        read = ".".join(path[:2])
        said = f'template "{used.name}" reads "{read}", which step "{step}" does not have'
        known = suggest(path[1], names) or _help(path)
        report.add(span, "unknown-template-data", said, known)


def _readable(checked: Checked, used: UsedTemplate, root: str) -> Collection[str] | None:
    """Return the names under a root, or None where they are not known."""
    known = checked.known
    match root:
        case "data":
            return used.data
        case "session":
            return [*known.session, *SESSION]
        case "entry":
            return known.entry
        case "message":
            return MESSAGE
        case "participant":
            return () if known.campaign is None else known.participant
        case "user":
            return [*known.traits, *OWN_TRAITS] if known.traits else None
        case _:
            return None


def _help(path: tuple[str, ...]) -> str:
    match path[0]:
        case "data":
            return f"add it to the step: data: {{{path[1]}: <expression>}}"
        case "session":
            return "an update step sets a variable of the session"
        case "message":
            return f"of what users send there are {', '.join(MESSAGE)}"
        case "participant":
            return "declare it among the fields of a campaign, and name that in the flow"
        case root:
            return f"declare it in space.yaml, or leave {root}.{path[1]} out"
