"""Keeps ids unique when an imported state replaces another (R5, R30)."""

from __future__ import annotations

from transforms.flows.engine.working import Session, State
from transforms.flows.state.dedupe import joined
from transforms.flows.state.sent_archive import archived
from transforms.flows.state.stored import Communication


def sessions_of(state: State) -> list[Session]:
    """List the sessions that are known, those that have ended among them."""
    return [*state.sessions, *state.ended]


def communications_of(state: State) -> dict[str, Communication]:
    """Return the messages that have left, by their ids."""
    found = (*archived(state.sent_archive), *state.communications)
    return {c.id: c for c in found if c.status != "planned" or "attempt" in c.facts}


def keep_ids_unique(
    state: State, before: State, sessions: list[Session], messages: dict[str, Communication], t: int
) -> None:
    """Let an imported state go on behind what was said here, by the state it replaces.

    ``sessions`` and ``messages`` are those that were known here, as they are at the end. Sessions
    number their outputs on from there; one that is not known here, or not any more, does so from
    the instant, where nothing was numbered before. A message that left stays as it is, and does
    not leave again. Signals that were seen here have been seen.
    """
    counts = {session.id: session.count for session in sessions}
    for session in sessions_of(state):
        session.count = max(session.count, counts.get(session.id, t))
    state.communications = [messages.get(c.id, c) for c in state.communications]
    dropped = max(before.seen_floor, state.seen_floor)
    state.seen_ids, state.seen_floor = joined(before.seen_ids, state.seen_ids, dropped)
