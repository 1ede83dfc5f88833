"""The records of the control log, which is append-only. Each takes effect at an instant.

A record is self-contained: what the flows do depends on the log and on nothing else.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Data = dict[str, Any]


class Record(
    msgspec.Struct, frozen=True, gc=False, tag_field="is", omit_defaults=True, kw_only=True
):
    """Base of every record: ``sequence`` orders the log, ``effective_at`` is ms UTC.

    ``by`` says who made it, ``made_at`` when (ms UTC) and ``note`` why; nothing depends on them.
    """

    sequence: int
    effective_at: int
    by: str | None = None
    made_at: int | None = None
    note: str | None = None


class Publish(Record, frozen=True, gc=False, tag="publish", kw_only=True):
    """A version of a flow: canonical text, with the texts of the templates it sends (R27).

    ``migrate`` moves running sessions to this version; ``successors`` maps a step that is deleted
    or changed to the step at which its sessions go on.
    """

    flow: str
    version: int
    text: str
    templates: dict[str, str] = {}
    migrate: bool = False
    successors: dict[str, str] = {}


class Start(Record, frozen=True, gc=False, tag="start", kw_only=True):
    """The flow takes entries from now on."""

    flow: str


class Pause(Record, frozen=True, gc=False, tag="pause", kw_only=True):
    """The flow takes no entries and runs no steps; ``resume`` is the mode of its resume (R26)."""

    flow: str
    resume: Literal["fire", "shift", "skip"] = "fire"


class Resume(Record, frozen=True, gc=False, tag="resume", kw_only=True):
    """A paused flow continues."""

    flow: str


class Drain(Record, frozen=True, gc=False, tag="drain", kw_only=True):
    """The flow takes no more entries; its sessions continue (L8)."""

    flow: str


class Stop(Record, frozen=True, gc=False, tag="stop", kw_only=True):
    """All sessions of the flow end at this instant; the controller gives the reason (R28)."""

    flow: str
    reason: Literal["stopped", "launch_over", "idle"] = "stopped"


class Finish(Record, frozen=True, gc=False, tag="finish", kw_only=True):
    """The last session of a draining or one-time flow has ended; no session is touched (R26)."""

    flow: str


class Archive(Record, frozen=True, gc=False, tag="archive", kw_only=True):
    """The flow is finished; its flags and launch ids are kept for 30 more days."""

    flow: str


class SetSchedule(Record, frozen=True, gc=False, tag="schedule", kw_only=True):
    """A new start and end of the flow: ISO date-times in the flow's zone (I18).

    It replaces the schedule of every version, later ones included.
    """

    flow: str
    start: str | None = None
    end: str | None = None
    at_end: Literal["drain", "stop"] = "drain"


class SetGoals(Record, frozen=True, gc=False, tag="goals", kw_only=True):
    """The flow's goals from now on, as the text of its ``goals`` section (R24)."""

    flow: str
    text: str


class SetPriority(Record, frozen=True, gc=False, tag="priority", kw_only=True):
    """The priority of the flow from now on; it replaces that of every version."""

    flow: str
    priority: int


class Winner(Record, frozen=True, gc=False, tag="winner", kw_only=True):
    """The best branch of a split: later arrivals take it."""

    flow: str
    step: str
    branch: str


class Kill(Record, frozen=True, gc=False, tag="kill", kw_only=True):
    """The kill switch of a flow, a channel or the whole space: nothing is sent until ``off``."""

    flow: str | None = None
    channel: str | None = None
    off: bool = False


class SetSpace(Record, frozen=True, gc=False, tag="space", kw_only=True):
    """The settings and audiences of the space, as the text of its file."""

    text: str


ControlRecord = (
    Publish
    | Start
    | Pause
    | Resume
    | Drain
    | Stop
    | Finish
    | Archive
    | SetSchedule
    | SetGoals
    | SetPriority
    | Winner
    | Kill
    | SetSpace
)

decode_line = msgspec.json.Decoder(ControlRecord).decode
encode_line = msgspec.json.Encoder().encode
