"""The profile view: a read-only summary of one user's state (C24).

Flows and steps appear by name. Times are ms UTC.
"""

from __future__ import annotations

from typing import Any

import msgspec

from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine import working
from transforms.flows.engine.profile.participants import STATUS
from transforms.flows.engine.working import decode
from transforms.flows.state import stored
from transforms.flows.state.sent_archive import archived

Data = dict[str, Any]


class Part(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Base of the parts of a view."""


class Participant(Part, frozen=True, gc=False, kw_only=True):
    """The user in one campaign (C3)."""

    campaign: str
    status: str | None
    fields: Data
    created: int
    changed: int


class Session(Part, frozen=True, gc=False, kw_only=True):
    """A live session; ``until`` is when its wait ends, ``halted`` is True if paused or held."""

    session: str
    flow: str
    version: int
    campaign: str | None
    key: str
    step: str
    started: int
    since: int
    until: int | None
    halted: bool


class Communication(Part, frozen=True, gc=False, kw_only=True):
    """A message; ``times`` are by status, ``results`` is the reported data (C5)."""

    communication: str
    flow: str
    campaign: str | None
    step: str
    channel: str
    status: str
    changed: int
    due: int | None
    times: dict[str, int]
    results: Data


class ProfileView(Part, frozen=True, gc=False, kw_only=True, tag_field="is", tag="person"):
    """One user: profile, participants, sessions and messages, with the newest message first."""

    user: str
    clock: int | None = None
    customer: Data = {}
    tags: tuple[str, ...] = ()
    consent: dict[str, bool] = {}
    audiences: dict[str, int] = {}
    participants: tuple[Participant, ...] = ()
    sessions: tuple[Session, ...] = ()
    communications: tuple[Communication, ...] = ()


def profile_view_of(catalog: Catalog, user: str, blob: bytes | None) -> ProfileView:
    """Return the view of a user; the view of an unknown user is empty."""
    if blob is None:
        return ProfileView(user=user)
    known = decode(blob)
    sent = sorted(
        [*known.communications, *archived(known.sent_archive)],
        key=lambda c: (-c.changed, -c.started, c.id),
    )
    return ProfileView(
        user=user,
        clock=known.clock,
        customer=known.traits,
        tags=tuple(known.tags),
        consent=known.consent,
        audiences=known.audiences,
        participants=tuple(_participant(name, p) for name, p in sorted(known.participants.items())),
        sessions=tuple(_session(catalog, session) for session in known.sessions),
        communications=tuple(_communication(catalog, one) for one in sent),
    )


def _participant(campaign: str, found: stored.Participant) -> Participant:
    fields = {name: value for name, value in found.data.items() if name != STATUS}
    return Participant(
        campaign=campaign,
        status=found.data.get(STATUS),
        fields=fields,
        created=found.created,
        changed=found.changed,
    )


def _session(catalog: Catalog, session: working.Session) -> Session:
    plan = catalog.plans[session.flow, session.version]
    return Session(
        session=session.id,
        flow=plan.id,
        version=session.version,
        campaign=plan.campaign,
        key=session.key,
        step=plan.steps[session.step].name,
        started=session.started,
        since=session.since,
        until=session.due,
        halted=session.halt is not None,
    )


def _communication(catalog: Catalog, sent: stored.Communication) -> Communication:
    plan = catalog.plans[sent.flow, sent.version]
    facts = sent.facts
    return Communication(
        communication=sent.id,
        flow=plan.id,
        campaign=plan.campaign,
        step=plan.steps[sent.step].name,
        channel=sent.channel,
        status=sent.status,
        changed=sent.changed,
        due=sent.due if sent.status == "planned" else None,
        times={name: t for name, t in facts.items() if name not in ("data", "attempt")},
        results=facts.get("data", {}),
    )
