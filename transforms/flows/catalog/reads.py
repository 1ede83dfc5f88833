"""What a flow reads, merged over its expressions and templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from transforms.flows.definitions import forms
from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.space import Template
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.definitions.used import of_form
from transforms.flows.expressions.reads import Reads, reads_of
from transforms.flows.expressions.syntax.ast import Expr


def merge_reads(exprs: Iterable[Expr]) -> Reads:
    """Merge what several expressions read."""
    several = [reads_of(expr) for expr in exprs]
    if not several:
        return Reads()
    joined: dict[str, Any] = {}
    for name in Reads.__struct_fields__:
        parts = [getattr(item, name) for item in several]
        if isinstance(parts[0], frozenset):
            joined[name] = frozenset().union(*parts)
        elif isinstance(parts[0], tuple):
            joined[name] = tuple(dict.fromkeys(x for part in parts for x in part))
        else:
            joined[name] = any(parts)
    return Reads(**joined)


def template_reads(templates: Mapping[str, Template]) -> frozenset[str]:
    """Return the entry fields that templates read."""
    return frozenset(
        path[1]
        for template in templates.values()
        for path in template.reads
        if path[0] == "entry" and len(path) > 1
    )


def asked(flow: Flow, numbers: Mapping[str, int], every: Iterable[Reads]) -> frozenset[int]:
    """Return the send steps whose messages waits and conditions read."""
    every = tuple(every)
    names = {name for read in every for name in read.communications}
    if any(read.communication for read in every):
        names |= {step.name for step in flow.steps if isinstance(step.verb, Send)}
    for step in flow.steps:
        names |= {name for _, _, name in of_form(step.verb, forms.SendStep)}
    return frozenset(numbers[name] for name in names if name in numbers)


def watches(flow: Flow, exit_whens: Iterable[Expr]) -> bool:
    """Return whether a condition that sessions watch reads places in flows, messages or consent.

    A message that leaves, a step that is reached, or a topic that needs consent from now on is no
    signal that sessions see.
    """
    conditions = (each for step in flow.steps for each in of_form(step.verb, forms.Condition))
    watched = (condition for _, form, condition in conditions if form.watched)
    read = merge_reads(chain(exit_whens, watched))
    sent = read.communications or read.communication or read.messages
    return bool(read.flows or sent or read.consents)


def visits_in(read: Reads) -> bool:
    """Return whether an expression reads the user's visits, so that every event counts (J11)."""
    return any(fact.startswith("visit.") for fact in read.facts)


def visits(flow: Flow, every: Iterable[Reads]) -> bool:
    """Return whether a flow waits within visits, or reads them."""
    waits = any(any(of_form(step.verb, forms.VisitDelay)) for step in flow.steps)
    return waits or any(map(visits_in, every))
