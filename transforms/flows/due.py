"""What is due for a user, and when: the one order in which things fire (R1)."""

from __future__ import annotations

from typing import Final, assert_never

from transforms.flows.catalog import Catalog, FlowView
from transforms.flows.marks import forgets_at
from transforms.flows.state import Communication, Identity, Pending, Session, State

AUDIENCE: Final = 1  # a control record comes before both
FLOW: Final = 2
LAST: Final = 1 << 62


Owed = Session | Communication | Pending | Identity | str | None
"""What is due: None for a control record, a text for a computed audience."""

Order = tuple[int, int, int, str, int]
"""Sorts what is due at one instant; the numbers in ids sort as numbers."""


def soonest(state: State) -> int | None:
    """Return the earliest instant at which something of this user is due, control aside."""
    found = LAST
    for session in state.sessions:
        due, check = session.due, session.check
        if due is not None and due < found:
            found = due
        if check is not None and check < found:
            found = check
        for shown in session.promotions:
            found = min(found, shown.until or LAST, shown.check or LAST)
    for sent in state.communications:
        due = sent.due
        if due is not None and due < found and not sent.stays:
            found = due
    for pending in state.pending:
        due = pending.due
        if due is not None and due < found:
            found = due
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
    found = _due_at(state, at)
    if len(found) == 1:
        return at, found[0]
    flows = catalog.at(at).by_number
    return at, min(found, key=lambda due: _order(flows, due))


def _due_at(state: State, at: int) -> list[Owed]:
    found: list[Owed] = []
    if state.identity is not None and forgets_at(state.identity) == at:
        found.append(state.identity)
    for audience, check in state.checks.items():
        if check == at:
            found.append(audience)
    found += [s for s in state.sessions if s.due == at or s.check == at or _turns(s, at)]
    found += [sent for sent in state.communications if sent.due == at and not sent.stays]
    found += [pending for pending in state.pending if pending.due == at]
    return found


def _order(flows: dict[int, FlowView], due: Owed) -> Order:
    match due:
        case Session():
            return FLOW, -flows[due.flow].priority, due.started, due.id, 0
        case Communication():
            owner, _, number = due.id.rpartition("-")
            return FLOW, -flows[due.flow].priority, due.started, owner, int(number)
        case Pending():
            view = flows[due.flow]
            return FLOW, -view.priority, LAST, view.plan.id, due.trigger
        case str():
            return AUDIENCE, 0, 0, due, 0
        case Identity() | None:
            return AUDIENCE, 0, 0, "", 0
        case _:
            assert_never(due)


def _turns(session: Session, at: int) -> bool:
    """Tell whether what a slot shows ends, or its condition may change, at an instant."""
    return any(shown.until == at or shown.check == at for shown in session.promotions)
