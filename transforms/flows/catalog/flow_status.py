"""The status of a flow while the control log is read: when it takes entries, pauses and ends (R26)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from transforms.flows.catalog.compiled import GoalSet, Plan
from transforms.flows.catalog.epochs import Effect, FlowView, Status
from transforms.flows.clock.zones import find_zone, parse_instant
from transforms.flows.definitions.flow import Schedule
from transforms.flows.definitions.space import Space
from transforms.flows.diagnostics import Problem
from transforms.flows.protocol import control_records

STARTED = ("scheduled", "running")
NOT_RUNNING, OUTSIDE, PAUSED = "flow_not_running", "outside_schedule", "flow_paused"


class InvalidLog(ValueError):
    """A record of the log cannot be followed; ``problems`` says where and why."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


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
    where = find_zone(known.plan.zone, space.zone)
    schedule = _schedule(known)
    start = parse_instant(schedule.start, where) if schedule.start else None
    return start, parse_instant(schedule.end, where) if schedule.end else None


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
            said = f"{what} reads entry.{lacking[0]}, which sessions of version {earlier.version}"
            raise InvalidLog(f"{said} do not keep: it cannot migrate them")
    here = {step.name for step in plan.flow.steps}
    for step, successor in record.successors.items():
        if step not in steps or successor not in here:
            missing = step if step not in steps else successor
            raise InvalidLog(f"{what} names a successor, but there is no step {missing}")
    successors = {steps[old]: steps[new] for old, new in record.successors.items()}
    at, version = record.effective_at, record.version
    return [Effect(at, "migrate", plan.number, version=version, successors=successors)]
