"""Templates against the steps that send them: they are there, and what they read exists."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from transforms.flows.definitions.steps.calls import CallApi, CallWebhook
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.diagnostics import Report, suggest
from transforms.flows.expressions.types import MESSAGE
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.places import place

if TYPE_CHECKING:
    from transforms.flows.reading.checks.flow import Checked

SESSION = ("id", "started")
OWN_TRAITS = ("id", "timezone")


def check(report: Report, root: Map, checked: Checked) -> None:
    """Report templates that are not there and what they read in vain."""
    for section, followed in (("steps", checked.main), ("on_exit", checked.on_exit)):
        for step in followed.steps:
            verb = step.verb
            if isinstance(verb, Send | CallWebhook | CallApi) and verb.template:
                span = place(root, section, step.name, "template")
                _check(report, checked, step.name, verb, span)


def _check(
    report: Report,
    checked: Checked,
    step: str,
    verb: Send | CallWebhook | CallApi,
    span: tuple[int, int],
) -> None:
    name = verb.template or ""
    template = checked.templates.get(name)
    if template is None:
        said = f'step "{step}" sends with template "{name}", which is not there'
        known = suggest(name, checked.templates) or f"add messages/{name}.liquid beside the flow"
        report.add(span, "unknown-template", said, known)
        return
    for path in template.reads:
        names = _readable(checked, verb, path[0])
        if len(path) < 2 or names is None or path[1] in names:
            continue
        read = ".".join(path[:2])
        said = f'template "{name}" reads "{read}", which step "{step}" does not have'
        known = suggest(path[1], names) or _help(path)
        report.add(span, "unknown-template-data", said, known)


def _readable(
    checked: Checked, verb: Send | CallWebhook | CallApi, root: str
) -> Collection[str] | None:
    """Return the names under a root, or None where they are not known."""
    known = checked.known
    match root:
        case "data":
            return [name for name, _ in verb.data]
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
