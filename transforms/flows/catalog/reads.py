"""What a flow reads, joined over its expressions and templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.space import Template
from transforms.flows.definitions.steps.sends import Promote, Send
from transforms.flows.definitions.steps.waits import CaseStatus, CaseWhen, WaitFor, WaitVisit
from transforms.flows.expressions.reads import Reads, reads
from transforms.flows.expressions.syntax.ast import Expr


def merge_reads(exprs: Iterator[Expr]) -> Reads:
    """Join what several expressions read."""
    found = [reads(expr) for expr in exprs]
    if not found:
        return Reads()
    joined: dict[str, Any] = {}
    for name in Reads.__struct_fields__:
        parts = [getattr(item, name) for item in found]
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
    """Return the send steps whose messages waits and conditions look at."""
    every = tuple(every)
    names = {name for read in every for name in read.communications}
    if any(read.communication for read in every):
        names |= {step.name for step in flow.steps if isinstance(step.verb, Send)}
    for step in flow.steps:
        if isinstance(step.verb, WaitFor):
            names |= {c.step for c in step.verb.cases if isinstance(c, CaseStatus)}
    return frozenset(numbers[name] for name in names if name in numbers)


def watches(flow: Flow, exit_whens: Iterable[Expr]) -> bool:
    """Tell whether a condition that sessions watch reads places in flows, or messages."""
    found = list(exit_whens)
    for step in flow.steps:
        match step.verb:
            case WaitFor(cases=cases):
                found += [case.when for case in cases if isinstance(case, CaseWhen)]
            case Promote(while_=condition) if condition is not None:
                found.append(condition)
            case _:
                pass
    read = merge_reads(iter(found))
    return bool(read.flows or read.communications or read.communication)


def visits_in(read: Reads) -> bool:
    """Tell whether an expression reads the user's visits, so that every event counts (J11)."""
    return any(fact.startswith("visit.") for fact in read.facts)


def visits(flow: Flow, every: Iterable[Reads]) -> bool:
    """Tell whether a flow waits within visits, or reads them."""
    waits = any(isinstance(step.verb, WaitVisit) for step in flow.steps)
    return waits or any(visits_in(read) for read in every)
