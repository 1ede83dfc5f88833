"""The profile view of one user as text: one line per fact."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from transforms.flows.engine.profile.profile_view import (
    Communication,
    Participant,
    ProfileView,
    Session,
)
from transforms.scenarios.transcript import clock, value


def to_text(view: ProfileView, where: ZoneInfo) -> str:
    """Format the view; times are in the given zone."""
    return "\n".join([f"user {view.user}", *(f"  {line}" for line in _lines(view, where))])


def _lines(view: ProfileView, where: ZoneInfo) -> Iterator[str]:
    yield f"customer     {value(view.customer)}"
    if view.tags:
        yield f"tags         {', '.join(view.tags)}"
    if view.consent:
        yield f"consent      {value(view.consent)}"
    for name, since in view.audiences.items():
        yield f"audience     {name} since {clock(since, where)}"
    for participant in view.participants:
        yield f"participant  {_participant(participant, where)}"
    for session in view.sessions:
        yield f"session      {_session(session, where)}"
    for sent in view.communications:
        yield f"message      {_communication(sent, where)}"


def _participant(found: Participant, where: ZoneInfo) -> str:
    status = f" {found.status}" if found.status is not None else ""
    return f"{found.campaign}{status} since {clock(found.created, where)}, {value(found.fields)}"


def _session(found: Session, where: ZoneInfo) -> str:
    parts = [f"{found.flow}/{found.step} since {clock(found.since, where)}"]
    parts += [f"until {clock(found.until, where)}"] if found.until is not None else []
    parts += [f"key {found.key}"] if found.key else []
    parts += ["paused"] if found.halted else []
    return ", ".join(parts)


def _communication(found: Communication, where: ZoneInfo) -> str:
    parts = [f"{found.flow}/{found.step} {found.status} by {found.channel}"]
    parts += [f"due {clock(found.due, where)}"] if found.due is not None else []
    parts += [f"{name} {clock(t, where)}" for name, t in found.times.items()]
    parts += [value(found.results)] if found.results else []
    return ", ".join(parts)
