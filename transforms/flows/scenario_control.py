"""Control records as scenario files write them: ``control pause tour resume=shift``."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from transforms.flows import control
from transforms.flows.scenario_values import Line

OFF = re.compile(r"off(?!\S)")
FLOW = re.compile(r"[a-z][a-z0-9_]*(?![=\w])")
_WORD = re.compile(r"[^\s{]+")


def how(line: Line) -> str:
    """Read what a resume does."""
    found = line.take(_WORD)
    if found not in ("fire", "shift", "skip"):
        raise line.stop('a resume is "fire", "shift" or "skip"', at=line.at - len(found or ""))
    return found


def _priority(line: Line, flow: str, at: int) -> control.ControlRecord:
    number = line.take(re.compile(r"-?\d{1,6}"))
    if number is None:
        raise line.stop("a whole number is expected here")
    return control.SetPriority(sequence=0, effective_at=at, flow=flow, priority=int(number))


def _stop(line: Line, flow: str, at: int) -> control.ControlRecord:
    if not line.passes("reason="):
        return control.Stop(sequence=0, effective_at=at, flow=flow)
    start, reason = line.at, line.name("a reason")
    try:
        fields = {"is": "stop", "sequence": 0, "effective_at": at, "flow": flow, "reason": reason}
        return msgspec.convert(fields, control.Stop)
    except msgspec.ValidationError:
        raise line.stop(f'a flow is not stopped for "{reason}"', at=start) from None


def _pause(line: Line, flow: str, at: int) -> control.ControlRecord:
    if not line.passes("resume="):
        return control.Pause(sequence=0, effective_at=at, flow=flow)
    fields = {"is": "pause", "sequence": 0, "effective_at": at, "flow": flow, "resume": how(line)}
    return msgspec.convert(fields, control.Pause)


def _kill(line: Line, flow: str, at: int) -> control.ControlRecord:
    off = bool(line.take(OFF))
    named = None if off else line.take(FLOW)
    channel = line.name("a channel") if line.passes("channel=") else None
    off = off or bool(line.take(OFF))
    return control.Kill(sequence=0, effective_at=at, flow=named, channel=channel, off=off)


def _goals(line: Line, flow: str, at: int) -> control.ControlRecord:
    text = msgspec.json.encode(line.mapping()).decode()
    return control.SetGoals(sequence=0, effective_at=at, flow=flow, text=text)


def _winner(line: Line, flow: str, at: int) -> control.ControlRecord:
    step, branch = line.name("a split"), line.name("a branch")
    return control.Winner(sequence=0, effective_at=at, flow=flow, step=step, branch=branch)


def _schedule(line: Line, flow: str, at: int) -> control.ControlRecord:
    said = line.mapping()
    try:
        fields = {"is": "schedule", "sequence": 0, "effective_at": at, "flow": flow}
        return msgspec.convert(said | fields, control.SetSchedule)
    except msgspec.ValidationError as error:
        raise line.stop(f"this is no schedule: {error}") from None


CONTROLS: dict[str, Callable[[Line, str, int], control.ControlRecord]] = {
    "start": lambda _, flow, at: control.Start(sequence=0, effective_at=at, flow=flow),
    "stop": _stop,
    "pause": _pause,
    "resume": lambda _, flow, at: control.Resume(sequence=0, effective_at=at, flow=flow),
    "drain": lambda _, flow, at: control.Drain(sequence=0, effective_at=at, flow=flow),
    "archive": lambda _, flow, at: control.Archive(sequence=0, effective_at=at, flow=flow),
    "priority": _priority,
    "schedule": _schedule,
    "goals": _goals,
    "winner": _winner,
    "kill": _kill,
}
CONTROLS |= dict.fromkeys(("publish", "space"), CONTROLS["start"])
