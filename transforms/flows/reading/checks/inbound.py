"""Branches by the words of messages: each word has one, and some part of the flow hears words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from transforms.flows.definitions.steps.branches import MatchMessage
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.steps.waits import CaseCall, CaseInbound, CaseStatus, WaitFor
from transforms.flows.definitions.triggers.messages import OnCall, OnInbound, OnIncoming
from transforms.flows.definitions.values import keyword
from transforms.flows.diagnostics import Report
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.places import place_of_key

if TYPE_CHECKING:
    from transforms.flows.reading.checks.flow import Checked

HEARING = (
    OnInbound,
    OnCall,
    OnIncoming,
    CaseInbound,
    CaseCall,
)
"""Triggers and cases that hear what users send."""


def keywords_twice(report: Report, root: Map, checked: Checked) -> None:
    """Refuse a branch by keyword that another one of its step has taken."""
    for section, step, verb in _matching(checked):
        seen: set[str | None] = set()
        for case in verb.cases:
            words: dict[str | None, None] = dict.fromkeys(map(keyword, case.keywords)) or {
                None: None
            }
            for word in words:
                if word in seen:
                    span = place_of_key(root, section, step.name, "match_message")
                    what = "any words" if word is None else f'keyword "{word}"'
                    said = f'step "{step.name}" has two branches for {what}'
                    report.add(span, "duplicate-keyword", said, "the first one would take it")
            seen.update(words)


def unheard(report: Report, root: Map, checked: Checked) -> None:
    """Warn of a branch by words in a flow that never hears any."""
    if any(isinstance(trigger, HEARING) for trigger in checked.flow.enter):
        return
    for step in checked.main.steps:
        for case in step.verb.cases if isinstance(step.verb, WaitFor) else ():
            replied = isinstance(case, CaseStatus) and case.status == "replied"
            if replied or isinstance(case, HEARING):
                return
    for section, step, _ in _matching(checked):
        said = f'step "{step.name}" branches by words, but no trigger or wait hears any'
        span = place_of_key(root, section, step.name)
        report.add(span, "no-message", said, "wait for inbound: before it", "warning")


def _matching(checked: Checked) -> Iterator[tuple[str, Step, MatchMessage]]:
    for section, followed in (("steps", checked.main), ("on_exit", checked.on_exit)):
        for step in followed.steps:
            if isinstance(step.verb, MatchMessage):
                yield section, step, step.verb
