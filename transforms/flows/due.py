"""What is due for a user, and when: the one order in which things fire (R1)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from transforms.flows.catalog import Catalog
from transforms.flows.state import Communication, Pending, Session, State

CONTROL, AUDIENCE, FLOW = 0, 1, 2
LAST = 1 << 62


class Due(msgspec.Struct, frozen=True, gc=False):
    """One due thing. ``order`` sorts those of one instant; the numbers in ids sort as numbers."""

    at: int
    order: tuple[int, int, int, str, int]
    what: Session | Communication | Pending | str | None


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
        if sent.due is not None and sent.due < found:
            found = sent.due
    for pending in state.pending:
        if pending.due is not None and pending.due < found:
            found = pending.due
    for at in state.checks.values():
        if at < found:
            found = at
    return None if found == LAST else found


def next_due(catalog: Catalog, state: State, until: int) -> Due | None:
    """Return the first thing due at or before ``until``, in the order of R1."""
    at = soonest(state)
    effect = catalog.next_effect(state.absorbed, until)
    if effect is not None and (at is None or effect.at <= at):
        return Due(effect.at, (CONTROL, 0, 0, "", 0), None)
    if at is None or at > until:
        return None
    found = list(_due_at(catalog, state, at))
    return found[0] if len(found) == 1 else min(found, key=lambda due: due.order)


def _due_at(catalog: Catalog, state: State, at: int) -> Iterator[Due]:
    flows = catalog.at(at).by_number
    for audience, check in state.checks.items():
        if check == at:
            yield Due(at, (AUDIENCE, 0, 0, audience, 0), audience)
    for session in state.sessions:
        times = [session.due, session.check]
        times += [time for shown in session.promotions for time in (shown.until, shown.check)]
        if at in times:
            order = (FLOW, -flows[session.flow].priority, session.started, session.id, 0)
            yield Due(at, order, session)
    for sent in state.communications:
        if sent.due == at:
            owner, _, number = sent.id.rpartition("-")
            order = (FLOW, -flows[sent.flow].priority, sent.started, owner, int(number))
            yield Due(at, order, sent)
    for pending in state.pending:
        if pending.due == at:
            flow = flows[pending.flow]
            order = (FLOW, -flow.priority, LAST, flow.plan.flow.id, pending.trigger)
            yield Due(at, order, pending)
