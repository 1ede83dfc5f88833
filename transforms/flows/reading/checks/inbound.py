"""Branches by keyword need a trigger or a wait that takes messages."""

from __future__ import annotations

from transforms.flows.definitions.steps.branches import MatchMessage
from transforms.flows.definitions.steps.waits import CaseCall, CaseInbound, CaseStatus, WaitFor
from transforms.flows.definitions.triggers.messages import OnCall, OnInbound, OnIncoming
from transforms.flows.diagnostics import Report
from transforms.flows.reading.checks.checked import Checked
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.places import place_of_key

LISTENING = (OnInbound, OnCall, OnIncoming, CaseInbound, CaseCall)
"""Triggers and cases that take messages or calls of users."""


def no_messages(report: Report, root: Map, checked: Checked) -> None:
    """Warn of a branch by keyword in a flow that takes no messages."""
    if any(isinstance(trigger, LISTENING) for trigger in checked.flow.enter):
        return
    for step in checked.main.steps:
        for case in step.verb.cases if isinstance(step.verb, WaitFor) else ():
            replied = isinstance(case, CaseStatus) and case.status == "replied"
            if replied or isinstance(case, LISTENING):
                return
    for section, step in checked.steps():
        if isinstance(step.verb, MatchMessage):
            said = f'step "{step.name}" branches by keyword, but no trigger or wait takes messages'
            span = place_of_key(root, section, step.name)
            report.add(span, "no-message", said, "wait for inbound: before it", "warning")
