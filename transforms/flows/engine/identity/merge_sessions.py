"""Joins the sessions of two keys of one user (R8, R20).

If both keys have a session of the same flow and session key, the later started one ends.
"""

from __future__ import annotations

from transforms.flows.catalog.epochs import FlowView
from transforms.flows.definitions.triggers.events import OnCombination
from transforms.flows.definitions.triggers.profile import OnDate, OnSchedule
from transforms.flows.engine.context import Context
from transforms.flows.engine.lifecycle.goals import forget_ended
from transforms.flows.engine.limits import MOST_SESSIONS, PLANNED, fits
from transforms.flows.engine.messages.communications import discard, forget
from transforms.flows.engine.steps.moves import end
from transforms.flows.engine.working import Session, State
from transforms.flows.state.sent_archive import KEPT
from transforms.flows.state.stored import Communication, Pending

UnderWay = tuple[list[Session], list[Communication], list[Pending], list[Session]]
"""Sessions, communications, pending triggers and ended sessions of one state."""


def set_aside(ctx: Context, theirs: State) -> UnderWay:
    """Replace the user's sessions, messages and triggers by those of the other key; return them."""
    state = ctx.state
    mine = state.sessions, state.communications, state.pending, state.ended
    state.sessions, state.communications = theirs.sessions, theirs.communications
    state.ended = list(theirs.ended)
    flows = ctx.catalog.at(theirs.clock).by_number
    state.pending = [p for p in theirs.pending if not _dated(flows[p.flow], p.trigger)]
    return mine


def join_sessions(ctx: Context, mine: UnderWay) -> list[Session]:
    """Join the sessions, messages and triggers of both keys; return the sessions of the other."""
    state = ctx.state
    joined = list(state.sessions)
    state.sessions = [*mine[0], *state.sessions]
    state.communications = [*mine[1], *state.communications]
    state.pending = _join_pending(ctx, mine[2], state.pending)
    state.ended = sorted(mine[3] + state.ended, key=lambda s: (s.ended or 0, s.id))
    return joined


def _join_pending(ctx: Context, mine: list[Pending], theirs: list[Pending]) -> list[Pending]:
    """Join triggers that wait: the user's own go on, but of two periods without, the later one."""
    joined = {(p.flow, p.trigger, p.key): p for p in mine}
    for other in theirs:
        place = other.flow, other.trigger, other.key
        own = joined.setdefault(place, other)
        view = ctx.epoch.by_number[other.flow]
        trigger = view.plan.triggers[other.trigger].trigger
        without = isinstance(trigger, OnCombination) and trigger.how == "without"
        if own is not other and without:
            newer, older = (other, own) if (other.due or 0) > (own.due or 0) else (own, other)
            joined[place] = newer
            if newer.cause != older.cause:
                reason = "replaced_by_newer"
                ctx.emit_rejection(reason, view.plan.id, older.key, cause=older.cause)
    return list(joined.values())


def _dated(view: FlowView, trigger: int) -> bool:
    """Return True for a date trigger: its due instant is computed again after a merge."""
    return isinstance(view.plan.triggers[trigger].trigger, (OnDate, OnSchedule))


def end_doubles(ctx: Context) -> None:
    """If a flow allows one session per key, end all but the one that started first (R20).

    Silent sessions end before others: a holdout must not end a session with effects (R19).
    """
    first: set[tuple[int, str]] = set()
    for session in sorted(ctx.state.sessions, key=lambda s: (s.silent, s.started, s.id)):
        place = session.flow, session.key
        plan = session.plan
        if place in first and not plan.flow.simultaneous:
            end(ctx, session, "merged", forced=True)
        first.add(place)


def _age(session: Session) -> tuple[int, str]:
    return session.started, session.id


def keep_bounds(ctx: Context, joined: list[Session]) -> None:
    """End the newest sessions and cancel the latest messages that are over a limit."""
    state = ctx.state
    forget_ended(ctx)
    for session in sorted(joined, key=_age, reverse=True):
        many = len(state.sessions) > MOST_SESSIONS
        if not many and fits(state, 0):
            break
        if session.ended is None:
            reason = "too_many_sessions" if many else "value_too_large"
            end(ctx, session, reason, forced=True)
    planned = [sent for sent in state.communications if sent.due is not None]
    over = len(planned) - PLANNED
    for sent in sorted(planned, key=lambda sent: (sent.due or 0, sent.id), reverse=True):
        if over > 0 or not fits(state, 0):
            over -= 1
            _cancel(ctx, sent)
    over = len(state.communications) - PLANNED - KEPT
    for sent in [sent for sent in state.communications if sent.due is None][: max(0, over)]:
        forget(ctx, sent)


def _cancel(ctx: Context, sent: Communication) -> None:
    if sent.status != "planned":
        sent.due = None
        return
    discard(ctx, sent, "canceled", "too_many_planned")
