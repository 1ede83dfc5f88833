"""Limits on the data of all sessions, messages and participants of a user.

Data over a limit is refused with a reason; everything else continues.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.engine.working import State
from transforms.flows.state.codec import encoded_size

MESSAGE_BOUND: Final = 4 * 1024

VARIABLES_BOUND: Final = 32 * 1024

MOST_ENDED: Final = 200

PARTICIPANT_BOUND: Final = 32 * 1024

MOST_PARTICIPANTS: Final = 100

MOST_AUDIENCES: Final = 500

LISTS_BOUND: Final = 16 * 1024

PROFILE_BOUND: Final = 64 * 1024

ENTRY_BOUND: Final = 32 * 1024

MOST_ENTRIES: Final = 1_000

MOST_SESSIONS: Final = 100

TOGETHER: Final = 128 * 1024
SMALL: Final = 1024
FEW: Final = 20
PLANNED: Final = 100


def fits(state: State, more: int) -> bool:
    """Return True if ``more`` bytes fit; a small amount always fits into a small state."""
    parts = len(state.sessions) + len(state.communications) + len(state.sent_archive)
    if more <= SMALL and parts + len(state.participants) <= FEW:
        return True
    held = [
        part for s in (*state.sessions, *state.ended) for part in (s.entry, s.variables, s.message)
    ]
    held += [part for sent in state.communications for part in (sent.data, sent.facts)]
    held += [part for p in state.pending for part in (p.data, *p.parts.values())]
    held += [participant.data for participant in state.participants.values()]
    archived = sum(encoded_size(past.packed) for past in state.sent_archive)
    return more + archived + sum(encoded_size(data) for data in held if data) <= TOGETHER


def full(state: State) -> bool:
    """Return True if the user has the maximum number of planned messages."""
    return sum(1 for sent in state.communications if sent.due is not None) >= PLANNED
