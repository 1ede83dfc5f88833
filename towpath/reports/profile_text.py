"""The view of one user for the eye: a line a thing."""

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


def to_text(person: ProfileView, where: ZoneInfo) -> str:
    """Write the view; times are those of a zone."""
    return "\n".join([f"person {person.user}", *(f"  {line}" for line in _lines(person, where))])


def _lines(person: ProfileView, where: ZoneInfo) -> Iterator[str]:
    yield f"customer     {value(person.customer)}"
    if person.tags:
        yield f"tags         {', '.join(person.tags)}"
    if person.consent:
        yield f"consent      {value(person.consent)}"
    for name, since in person.audiences.items():
        yield f"audience     {name} since {clock(since, where)}"
    for participant in person.participants:
        yield f"participant  {_participant(participant, where)}"
    for session in person.sessions:
        yield f"session      {_session(session, where)}"
    for sent in person.communications:
        yield f"message      {_communication(sent, where)}"


def _participant(found: Participant, where: ZoneInfo) -> str:
    status = f" {found.status}" if found.status is not None else ""
    return f"{found.campaign}{status} since {clock(found.created, where)}, {value(found.fields)}"


def _session(found: Session, where: ZoneInfo) -> str:
    parts = [f"{found.flow}/{found.step} since {clock(found.since, where)}"]
    parts += [f"until {clock(found.until, where)}"] if found.until is not None else []
    parts += [f"key {found.key}"] if found.key else []
    parts += ["stands still"] if found.halted else []
    return ", ".join(parts)


def _communication(found: Communication, where: ZoneInfo) -> str:
    parts = [f"{found.flow}/{found.step} {found.status} by {found.channel}"]
    parts += [f"due {clock(found.due, where)}"] if found.due is not None else []
    parts += [f"{name} {clock(t, where)}" for name, t in found.times.items()]
    parts += [value(found.results)] if found.results else []
    return ", ".join(parts)
