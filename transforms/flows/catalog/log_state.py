"""What the control log says up to one of its records: flows, numbers, what is read since when."""

from __future__ import annotations

from collections.abc import Iterable

from transforms.flows.catalog.compiled import ON_EXIT, Plan
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.catalog.flow_status import InvalidLog, Known
from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.space import Space, Template
from transforms.flows.diagnostics import Problem
from transforms.flows.expressions.reads import Aggregate
from transforms.flows.protocol import control_records
from transforms.flows.reading.flow import load_flow
from transforms.flows.templates.message_template import load_template


class LogState:
    """What the control log says so far, while it is read record by record."""

    def __init__(self) -> None:
        self.space = Space()
        self.named = False
        self.flows: dict[str, Known] = {}
        self.numbers: dict[str, int] = {}
        self.steps: dict[str, dict[str, int]] = {}
        self.plans: dict[tuple[int, int], Plan] = {}
        self.aggregates: dict[Aggregate, None] = {}
        self.events_read_since: dict[str, int] = {}
        self.every_event_since = NEVER
        self.goals: set[str] = set()
        self.winners: dict[tuple[int, int], str] = {}
        self.kills: dict[tuple[int | None, str | None], None] = {}
        self.inbound_since = NEVER

    def number(self, record: control_records.Publish, flow: Flow) -> None:
        """Assign numbers to the flow and its steps."""
        self.numbers.setdefault(flow.id, len(self.numbers))
        steps = self.steps.setdefault(flow.id, {})
        names = [step.name for step in flow.steps]
        for name in [*names, *(ON_EXIT + step.name for step in flow.on_exit)]:
            steps.setdefault(name, len(steps))

    def read_event(self, events: Iterable[str], at: int, *, every: bool = False) -> None:
        """Note since when an event is read, or every event."""
        self.every_event_since = (
            min(at, self.every_event_since) if every else self.every_event_since
        )
        for event in events:
            self.events_read_since[event] = min(at, self.events_read_since.get(event, NEVER))

    def load(self, record: control_records.Publish) -> tuple[Flow, dict[str, Template]]:
        """Read the texts of a version."""
        what = f"version {record.version} of {record.flow}"
        templates: dict[str, Template] = {}
        problems: list[Problem] = []
        for name, text in record.templates.items():
            loaded = load_template(name, text)
            problems += loaded.problems
            if loaded.value is not None:
                templates[name] = loaded.value
        loaded_flow = load_flow(f"{record.flow}.yaml", record.text, self.space, templates)
        problems = [p for p in (*problems, *loaded_flow.problems) if p.severity == "error"]
        if loaded_flow.value is None or problems:
            raise InvalidLog(f"{what} has problems", problems)
        if loaded_flow.value.id != record.flow:
            raise InvalidLog(f"{what} is the text of another flow, {loaded_flow.value.id}")
        return loaded_flow.value, templates
