"""The timers of a user, and the order in which they fire (R1)."""

from __future__ import annotations

from typing import Final, assert_never

from transforms.flows.catalog.epochs import Catalog, FlowView
from transforms.flows.engine.working import Session, State
from transforms.flows.state.stored import Communication, Identity, Pending
from transforms.flows.state.tombstones import forgets_at

AUDIENCE: Final = 1  # a control record comes before both
FLOW: Final = 2
LAST: Final = 1 << 62


Due = Session | Communication | Pending | Identity | str | None
"""What is due: None is a control record, a string the name of a computed audience."""

Order = tuple[int, int, int, str, int]
"""The sort key of what is due at one instant; numbers in ids sort as numbers."""


def earliest_due(state: State) -> int | None:
    """Return the earliest instant at which a timer of this user is due, control records aside."""
    at, found = _first(state, LAST - 1)
    return at if found else None


def next_due(catalog: Catalog, state: State, until: int) -> tuple[int, Due] | None:
    """Return what is due first at or before ``until``, and when, in the order of R1."""
    at, found = _first(state, until)
    effect = catalog.next_effect(state.control_applied, until)
    if effect is not None and (effect.at <= at or not found):
        return effect.at, None
    if len(found) < 2:
        return (at, found[0]) if found else None
    flows = catalog.at(at).by_number
    return at, min(found, key=lambda due: _order(flows, due))


def _first(state: State, until: int) -> tuple[int, list[Due]]:
    """Return the earliest due instant up to ``until``, and all that is due then."""
    at = until
    found: list[Due] = []
    for session in state.sessions:
        due = _due_of(session)
        if due <= at:
            at, found = due, [*found, session] if due == at else [session]
    for ended in state.ended:
        check = ended.recheck_at
        if check is not None and check <= at:
            at, found = check, [*found, ended] if check == at else [ended]
    for sent in state.communications:
        planned = sent.due
        if planned is not None and planned <= at and not sent.on_hold:
            at, found = planned, [*found, sent] if planned == at else [sent]
    for pending in state.pending:
        fires = pending.due
        if fires is not None and fires <= at:
            at, found = fires, [*found, pending] if fires == at else [pending]
    for audience, due in state.audience_checks.items():
        if due <= at:
            at, found = due, [*found, audience] if due == at else [audience]
    identity = state.identity
    forgets = None if identity is None else forgets_at(identity)
    if forgets is not None and forgets <= at:
        at, found = forgets, [*found, identity] if forgets == at else [identity]
    return at, found


def _due_of(session: Session) -> int:
    """Return the earliest of a session's wait, conditions and promotions; LAST if there is none."""
    due, check = session.due, session.recheck_at
    first = LAST if due is None else due
    if check is not None and check < first:
        first = check
    for shown in session.promotions:
        first = min(first, shown.until or LAST, shown.recheck_at or LAST)
    return first


def _order(flows: dict[int, FlowView], due: Due) -> Order:
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


def clamp_due_times(state: State, t: int) -> None:
    """Move due times in the past to ``t``, because a user's time never goes back."""
    for stub in state.ended:
        stub.recheck_at = _at_least(stub.recheck_at, t)
    for session in state.sessions:
        session.due, session.recheck_at = (
            _at_least(session.due, t),
            _at_least(session.recheck_at, t),
        )
        for shown in session.promotions:
            shown.until, shown.recheck_at = (
                _at_least(shown.until, t),
                _at_least(shown.recheck_at, t),
            )
    for sent in state.communications:
        if not sent.on_hold:
            sent.due = _at_least(sent.due, t)
    for pending in state.pending:
        pending.due = _at_least(pending.due, t)
    state.audience_checks = {name: max(due, t) for name, due in state.audience_checks.items()}


def _at_least(due: int | None, t: int) -> int | None:
    return due if due is None or due > t else t
