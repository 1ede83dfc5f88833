"""What is due for a user, and when: the one order in which things fire (R1)."""

from __future__ import annotations

from transforms.flows.catalog import Catalog
from transforms.flows.marks import forgets_at
from transforms.flows.state import Communication, Identity, Pending, Session, State

AUDIENCE, FLOW = 1, 2  # a control record comes before both
LAST = 1 << 62


Owed = Session | Communication | Pending | Identity | str | None
"""What is due: None for a control record, a text for a computed audience."""

Order = tuple[int, int, int, str, int]
"""Sorts what is due at one instant; the numbers in ids sort as numbers."""


def soonest(state: State) -> int | None:
    """Return the earliest instant at which something of this user is due, control aside."""
    found = LAST
    for session in state.sessions:
        if session.due is not None and session.due < found:
            found = session.due
        if session.check is not None and session.check < found:
            found = session.check
        for shown in session.promotions:
            found = min(found, shown.until or LAST, shown.check or LAST)
    for sent in state.communications:
        if sent.due is not None and sent.due < found and not sent.stays:
            found = sent.due
    for pending in state.pending:
        if pending.due is not None and pending.due < found:
            found = pending.due
    for at in state.checks.values():
        if at < found:
            found = at
    if state.identity is not None:
        found = min(found, forgets_at(state.identity) or LAST)
    return None if found == LAST else found


def next_due(catalog: Catalog, state: State, until: int) -> tuple[int, Owed] | None:
    """Return when the first thing is due at or before ``until``, and what, in the order of R1."""
    at = soonest(state)
    effect = catalog.next_effect(state.absorbed, until)
    if effect is not None and (at is None or effect.at <= at):
        return effect.at, None
    if at is None or at > until:
        return None
    found = _due_at(catalog, state, at)
    return at, found[0][1] if len(found) == 1 else min(found, key=_order)[1]


def _order(due: tuple[Order, Owed]) -> Order:
    return due[0]


def _due_at(catalog: Catalog, state: State, at: int) -> list[tuple[Order, Owed]]:
    found: list[tuple[Order, Owed]] = []
    flows = catalog.at(at).by_number
    if state.identity is not None and forgets_at(state.identity) == at:
        found.append(((AUDIENCE, 0, 0, "", 0), state.identity))
    for audience, check in state.checks.items():
        if check == at:
            found.append(((AUDIENCE, 0, 0, audience, 0), audience))
    for session in state.sessions:
        shown = session.promotions
        if at in (session.due, session.check) or any(at in (p.until, p.check) for p in shown):
            place = (FLOW, -flows[session.flow].priority, session.started, session.id, 0)
            found.append((place, session))
    for sent in state.communications:
        if sent.due == at and not sent.stays:
            owner, _, number = sent.id.rpartition("-")
            place = (FLOW, -flows[sent.flow].priority, sent.started, owner, int(number))
            found.append((place, sent))
    for pending in state.pending:
        if pending.due == at:
            flow = flows[pending.flow]
            place = (FLOW, -flow.priority, LAST, flow.plan.id, pending.trigger)
            found.append((place, pending))
    return found
