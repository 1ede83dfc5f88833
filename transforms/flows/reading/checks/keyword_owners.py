"""Flows of one folder that claim the same keyword of a number, or its calls (I8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.keyword_conflicts import Claim, clashes
from transforms.flows.definitions.space import Space
from transforms.flows.definitions.triggers.messages import OnInbound
from transforms.flows.diagnostics import Problem, Report, Source
from transforms.flows.reading import nodes
from transforms.flows.reading.places import place


def owned_twice(
    flows: Sequence[Flow], space: Space, paths: Mapping[str, str], files: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield problems at both places of everything that two flows claim; ``paths`` maps flows to files."""
    for clash in clashes(flows, space):
        for one, other in ((clash.one, clash.other), (clash.other, clash.one)):
            path, there = paths[one.flow], paths[other.flow]
            line, _ = Source(there, files[there]).place(_span(there, files[there], other)[0])
            report = Report(Source(path, files[path]))
            said = f'flow "{other.flow}" has the {clash.what}, too'
            known = f"see {there}:{line}; only one flow can have it"
            report.add(_span(path, files[path], one), "owned-twice", said, known)
            yield from report.done(None).problems


def _span(path: str, text: str, claim: Claim) -> tuple[int, int]:
    """Return the place of what a trigger claims."""
    root = nodes.compose(Report(Source(path, text)))
    enter = root.get("enter") if isinstance(root, nodes.Mapping) else None
    assert isinstance(enter, nodes.Sequence)
    trigger = enter.items[claim.number]
    assert isinstance(trigger, nodes.Mapping)
    return place(trigger, "inbound" if isinstance(claim.trigger, OnInbound) else "number")
