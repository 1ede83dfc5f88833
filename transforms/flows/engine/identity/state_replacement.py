"""Keeps ids unique, and sends nothing twice, when an imported state replaces another (R5, R30)."""

from __future__ import annotations

from transforms.flows.engine.context import Context
from transforms.flows.engine.messages.communications import discard
from transforms.flows.engine.working import Session, State
from transforms.flows.state.dedupe import joined
from transforms.flows.state.sent_archive import MONTH, archived, pop, replace
from transforms.flows.state.stored import Communication


def sessions_of(state: State) -> list[Session]:
    """Return the live sessions and the stubs of ended ones."""
    return [*state.sessions, *state.ended]


def communications_of(state: State) -> dict[str, Communication]:
    """Return the sent messages by id."""
    found = (*archived(state.sent_archive), *state.communications)
    return {c.id: c for c in found if c.status != "planned" or "attempt" in c.facts}


def keep_ids_unique(
    state: State, before: State, sessions: list[Session], messages: dict[str, Communication], t: int
) -> None:
    """Adjust an imported state so that no output id of the state that it replaces is used again.

    ``sessions`` and ``messages`` are those of the replaced state after its sessions ended. A
    session that both have continues their numbering; any other numbers its outputs from the
    instant, above every number used before. Messages that were sent here are not sent again, and
    signals that were handled here remain duplicates.
    """
    counts = {session.id: session.count for session in sessions}
    for session in sessions_of(state):
        session.count = max(session.count, counts.get(session.id, t))
    state.communications = [messages.get(c.id, c) for c in state.communications]
    for sent in archived(state.sent_archive):
        known = messages.get(sent.id)
        if known is not None and known.due is None:
            replace(state.sent_archive, known)
        elif known is not None:  # it may still go to the next channel
            pop(state.sent_archive, sent.id)
            state.communications = [*state.communications, known]
    dropped = max(before.seen_floor, state.seen_floor)
    state.seen_ids, state.seen_floor = joined(before.seen_ids, state.seen_ids, dropped)


def skip_long_overdue(ctx: Context) -> None:
    """Skip planned messages of an imported state that were due over 30 days ago.

    They may have been sent here since, and forgotten. No flow is told, as of nothing that an import
    changes.
    """
    for sent in ctx.state.communications:
        if sent.status == "planned" and sent.due is not None and sent.due < ctx.now - MONTH:
            discard(ctx, sent, "skipped", "missed")
