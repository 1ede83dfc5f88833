"""What the control log says up to one of its records: the status of flows, and what is read.

A pause is independent of the status, which the schedule may change meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any, TypeVar

import msgspec

from transforms.flows.catalog.compiled import ON_EXIT, GoalSet, Plan
from transforms.flows.catalog.epochs import NEVER, Effect, FlowView, Status
from transforms.flows.clock.zones import find_zone
from transforms.flows.definitions.flow import Flow, Schedule
from transforms.flows.definitions.space import Space, Template
from transforms.flows.diagnostics import Loaded, Problem
from transforms.flows.expressions.reads import Aggregate
from transforms.flows.protocol import control_records
from transforms.flows.reading.flow import load_flow
from transforms.flows.templates.message_template import load_template

T = TypeVar("T")

STARTED = ("scheduled", "running")
NOT_RUNNING, OUTSIDE, PAUSED = "flow_not_running", "outside_schedule", "flow_paused"


class InvalidLog(ValueError):
    """A record of the log cannot be followed; ``problems`` says where and why."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def accepted(loaded: Loaded[T], message: str) -> T:
    """Return what was loaded; raise InvalidLog if it has errors."""
    if loaded.value is None:
        raise InvalidLog(message, [p for p in loaded.problems if p.severity == "error"])
    return loaded.value


class Known(msgspec.Struct):
    """What the records read so far say of one flow.

    ``priority`` and ``schedule`` are those that a record set: they override the version's, also
    those of later versions. ``paused`` is independent of the status; ``how`` is what the resume
    does. ``versions`` are those that may have sessions.
    """

    plan: Plan
    status: Status = "draft"
    refusal: str = NOT_RUNNING
    priority: int | None = None
    schedule: Schedule | None = None
    paused: bool = False
    aims: GoalSet | None = None
    versions: list[Plan] = []
    how: str = "fire"


def _schedule(known: Known) -> Schedule:
    return known.schedule or known.plan.flow.schedule


def bounds(known: Known, space: Space) -> tuple[int | None, int | None]:
    """Return the start and the end of a flow's schedule as instants."""
    return _schedule(known).instants(find_zone(known.plan.zone, space.zone))


def pause(known: Known, record: control_records.Pause, at: int) -> list[Effect]:
    """Pause a flow that was started and has not ended; a second pause changes nothing (R26)."""
    if known.paused or known.status not in (*STARTED, "draining"):
        return []
    known.paused, known.how = True, record.resume
    return [Effect(at, "pause", known.plan.number, record.resume)]


def resume(known: Known, space: Space, at: int) -> list[Effect]:
    """Resume a paused flow; if its schedule began during the pause, start it."""
    if not known.paused:
        return []
    known.paused = False
    return [Effect(at, "resume", known.plan.number, known.how), *place(known, space, at)]


def place(known: Known, space: Space, at: int, *, start: bool = False) -> list[Effect]:
    """Set the status of a started flow by its schedule; return what that changes for users.

    It is launched only if it was not running before (R22); a flow that keeps running is unchanged.
    """
    before, number = known.status, known.plan.number
    if before not in STARTED and not start:
        return []
    begin, end = bounds(known, space)
    known.refusal = OUTSIDE
    if end is not None and end <= at:
        if _schedule(known).at_end == "stop":
            known.status, known.paused = "finished", False
            known.versions = [known.plan]
            return [Effect(at, "stop", number, "schedule_ended")]
        known.status = "draining"
        return [Effect(at, "drain", number)]
    if begin is not None and begin > at:
        known.status = "scheduled"
        return [Effect(at, "drain", number)] if before == "running" else []
    if known.paused and before != "running":
        known.status, known.refusal = "scheduled", PAUSED
        return []
    known.status = "running"
    return [Effect(at, "start", number)] if before != "running" else []


def view_of(known: Known) -> FlowView:
    """Return the flow as of now; a pause hides the schedule as reason of refusals (R19)."""
    status, refusal = known.status, known.refusal
    if known.paused:
        refusal = PAUSED if refusal == OUTSIDE else refusal
        status = "paused"
    return FlowView(known.plan, status, priority_of(known), refusal)


def priority_of(known: Known) -> int:
    """Return the priority: what a record set, else what the version says."""
    return known.plan.flow.priority if known.priority is None else known.priority


def migration(
    known: Known, record: control_records.Publish, steps: Mapping[str, int]
) -> list[Effect]:
    """Check a version that migrates the sessions of earlier ones (R27)."""
    plan, what = known.plan, f"version {record.version} of {record.flow}"
    if not record.migrate:
        if record.successors:
            raise InvalidLog(f"{what} names successors of steps, but migrates no sessions")
        return []
    for earlier in known.versions:
        lacking = sorted(plan.entry_fields - earlier.entry_fields)
        if lacking:
            message = (
                f"{what} reads entry.{lacking[0]}, which sessions of version {earlier.version}"
            )
            raise InvalidLog(f"{message} do not keep: it cannot migrate them")
    here = {step.name for step in plan.flow.steps}
    for step, successor in record.successors.items():
        if step not in steps or successor not in here:
            missing = step if step not in steps else successor
            raise InvalidLog(f"{what} names a successor, but there is no step {missing}")
    successors = {steps[old]: steps[new] for old, new in record.successors.items()}
    at, version = record.effective_at, record.version
    return [Effect(at, "migrate", plan.number, version=version, successors=successors)]


class Made(msgspec.Struct, frozen=True):
    """What was made of the text of a record and of what else was given."""

    record: control_records.Record
    given: tuple[Any, ...]
    result: Any


class LogState:
    """What the control log says so far, while it is read record by record.

    ``changed`` and ``counted`` say what is different from the last epoch: flows by name, and new
    aggregates. ``made`` has what was made of the texts of records that
    are read again; ``making`` is filled with what is made now.
    """

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
        self.state_goals = False
        self.has_state_readers = False
        self.winners: dict[tuple[int, int], str] = {}
        self.kills: dict[tuple[int | None, str | None], None] = {}
        self.inbound_since = NEVER
        self.changed: set[str] = set()
        self.counted: list[Aggregate] = []
        self.made: Mapping[tuple[str, int], Made] = {}
        self.making: dict[tuple[str, int], Made] = {}
        self.own: set[str] = set()

    def copy(self) -> LogState:
        """Return a state that can change while this one does not."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, dict | set | list):
                setattr(other, name, value.copy())
        other.own = set()
        return other

    def flow(self, name: str) -> Known:
        """Return what is known of a flow, to be changed."""
        self.changed.add(name)
        if name not in self.own:
            self.own.add(name)
            known = copy(self.flows[name])
            known.versions = [*known.versions]
            self.flows[name] = known
        return self.flows[name]

    def new_version(self, plan: Plan) -> Known:
        """Return what is known of a flow whose newest version this is from now on."""
        if plan.id not in self.flows:
            self.flows[plan.id] = Known(plan)
        known = self.flow(plan.id)
        known.plan = plan
        return known

    def number(self, record: control_records.Publish, flow: Flow) -> None:
        """Assign numbers to the flow and its steps."""
        self.numbers.setdefault(flow.id, len(self.numbers))
        steps = self.steps[flow.id] = dict(self.steps.get(flow.id, {}))
        names = [step.name for step in flow.steps]
        for name in [*names, *(ON_EXIT + step.name for step in flow.on_exit)]:
            steps.setdefault(name, len(steps))

    def read_event(self, events: Iterable[str], at: int, *, every: bool = False) -> None:
        """Note since when an event is read, or every event."""
        if every:
            self.every_event_since = min(at, self.every_event_since)
        for event in events:
            self.events_read_since[event] = min(at, self.events_read_since.get(event, NEVER))

    def count(self, aggregates: Iterable[Aggregate]) -> None:
        """Note aggregates that are kept from now on."""
        for aggregate in aggregates:
            if aggregate not in self.aggregates:
                self.aggregates[aggregate] = None
                self.counted.append(aggregate)

    def once(
        self,
        what: str,
        record: control_records.Record,
        given: tuple[Any, ...],
        make: Callable[[], T],
    ) -> T:
        """Make something of the text of a record, unless it was made before of the same."""
        key = what, record.sequence
        before = self.made.get(key)
        if before is None or before.record is not record or before.given != given:
            before = Made(record, given, make())
        self.making[key] = before
        result: T = before.result
        return result

    def load(self, record: control_records.Publish) -> tuple[Flow, dict[str, Template]]:
        """Read the texts of a version."""
        what = f"version {record.version} of {record.flow}"
        loaded = [load_template(name, text) for name, text in record.templates.items()]
        templates = {t.value.name: t.value for t in loaded if t.value is not None}
        flow = load_flow(f"{record.flow}.yaml", record.text, self.space, templates)
        problems = [p for template in loaded for p in template.problems] + list(flow.problems)
        problems = [p for p in problems if p.severity == "error"]
        if flow.value is None or problems:
            raise InvalidLog(f"{what} has problems", problems)
        if flow.value.id != record.flow:
            raise InvalidLog(f"{what} is the text of another flow, {flow.value.id}")
        return flow.value, templates
