"""Control records as scenario files write them: ``control pause tour resume=shift``."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from transforms.flows.protocol import control_records
from transforms.scenarios.values import Line

OFF = re.compile(r"off(?!\S)")
FLOW = re.compile(r"[a-z][a-z0-9_]*(?![=\w])")
_WORD = re.compile(r"[^\s{]+")


def how(line: Line) -> str:
    """Read what a resume does."""
    found = line.take(_WORD)
    if found not in ("fire", "shift", "skip"):
        raise line.stop('a resume is "fire", "shift" or "skip"', at=line.at - len(found or ""))
    return found


def _priority(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    number = line.take(re.compile(r"-?\d{1,6}"))
    if number is None:
        raise line.stop("a whole number is expected here")
    return control_records.SetPriority(sequence=0, effective_at=at, flow=flow, priority=int(number))


def _stop(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    if not line.passes("reason="):
        return control_records.Stop(sequence=0, effective_at=at, flow=flow)
    start, reason = line.at, line.name("a reason")
    try:
        fields = {"is": "stop", "sequence": 0, "effective_at": at, "flow": flow, "reason": reason}
        return msgspec.convert(fields, control_records.Stop)
    except msgspec.ValidationError:
        raise line.stop(f'a flow is not stopped for "{reason}"', at=start) from None


def _pause(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    if not line.passes("resume="):
        return control_records.Pause(sequence=0, effective_at=at, flow=flow)
    fields = {"is": "pause", "sequence": 0, "effective_at": at, "flow": flow, "resume": how(line)}
    return msgspec.convert(fields, control_records.Pause)


def _kill(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    off = bool(line.take(OFF))
    named = None if off else line.take(FLOW)
    channel = line.name("a channel") if line.passes("channel=") else None
    off = off or bool(line.take(OFF))
    return control_records.Kill(sequence=0, effective_at=at, flow=named, channel=channel, off=off)


def _goals(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    text = msgspec.json.encode(line.mapping()).decode()
    return control_records.SetGoals(sequence=0, effective_at=at, flow=flow, text=text)


def _winner(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    step, branch = line.name("a split"), line.name("a branch")
    return control_records.Winner(sequence=0, effective_at=at, flow=flow, step=step, branch=branch)


def _schedule(line: Line, flow: str, at: int) -> control_records.ControlRecord:
    said = line.mapping()
    try:
        fields = {"is": "schedule", "sequence": 0, "effective_at": at, "flow": flow}
        return msgspec.convert(said | fields, control_records.SetSchedule)
    except msgspec.ValidationError as error:
        raise line.stop(f"this is no schedule: {error}") from None


CONTROLS: dict[str, Callable[[Line, str, int], control_records.ControlRecord]] = {
    "start": lambda _, flow, at: control_records.Start(sequence=0, effective_at=at, flow=flow),
    "stop": _stop,
    "pause": _pause,
    "resume": lambda _, flow, at: control_records.Resume(sequence=0, effective_at=at, flow=flow),
    "drain": lambda _, flow, at: control_records.Drain(sequence=0, effective_at=at, flow=flow),
    "archive": lambda _, flow, at: control_records.Archive(sequence=0, effective_at=at, flow=flow),
    "priority": _priority,
    "schedule": _schedule,
    "goals": _goals,
    "winner": _winner,
    "kill": _kill,
}
CONTROLS |= dict.fromkeys(("publish", "space"), CONTROLS["start"])
