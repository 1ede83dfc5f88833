"""All that is remembered of one user: the working copy that one run opens, changes and closes.

Compiled, these plain classes are read ten times faster than structs; ``stored`` has the form in
which they are written, with the same fields.
"""

from __future__ import annotations

from typing import final

from transforms.flows.state.stored import (
    Communication,
    Data,
    Halt,
    History,
    Identity,
    Participant,
    Past,
    Pending,
    Presence,
    Promotion,
    Sent,
    Series,
    StoredSession,
    StoredState,
)


@final
class Session:
    """One session of a flow (B3): the fields are those of ``StoredSession``."""

    __slots__ = (
        "awaiting_call",
        "baseline",
        "count",
        "due",
        "ended",
        "entry",
        "exit_true",
        "flow",
        "goals",
        "halt",
        "id",
        "key",
        "matched_cases",
        "message",
        "promotions",
        "recheck_at",
        "sent",
        "silent",
        "since",
        "started",
        "step",
        "variables",
        "variants",
        "version",
        "visit_deadline",
        "visits",
    )

    def __init__(
        self,
        name: str,
        flow: int,
        version: int,
        key: str,
        started: int,
        step: int,
        since: int,
        silent: bool = False,
        entry: Data | None = None,
    ) -> None:
        self.id = name
        self.flow = flow
        self.version = version
        self.key = key
        self.started = started
        self.step = step
        self.since = since
        self.due: int | None = None
        self.recheck_at: int | None = None
        self.count: int = 0
        self.silent = silent
        self.entry: Data = {} if entry is None else entry
        self.variables: Data = {}
        self.visits: dict[int, int] = {}
        self.variants: dict[int, int] = {}
        self.sent: dict[int, str] = {}
        self.matched_cases: list[int] = []
        self.exit_true: list[int] = []
        self.goals: list[str] = []
        self.promotions: list[Promotion] = []
        self.ended: int | None = None
        self.halt: Halt | None = None
        self.message: Data | None = None
        self.visit_deadline: int | None = None
        self.awaiting_call: int = 0
        self.baseline: list[int] | None = None


@final
class State:
    """One user: the fields are those of ``StoredState``."""

    __slots__ = (
        "audience_checks",
        "audiences",
        "cap_sends",
        "clock",
        "communications",
        "consent",
        "control_applied",
        "ended",
        "histories",
        "identity",
        "participants",
        "pending",
        "presence",
        "seen_floor",
        "seen_ids",
        "sent_archive",
        "sequence",
        "series",
        "sessions",
        "suppressed",
        "tags",
        "trait_ages",
        "traits",
    )

    def __init__(
        self,
        clock: int,
        absorbed: int,
        sequence: int = 0,
        dropped: int = 0,
        memory: bytes = b"",
        identity: Identity | None = None,
    ) -> None:
        self.clock = clock
        self.control_applied = absorbed
        self.sequence = sequence
        self.seen_floor = dropped
        self.seen_ids = memory
        self.traits: Data = {}
        self.trait_ages: bytes = b""
        self.histories: dict[int, History] = {}
        self.sessions: list[Session] = []
        self.tags: list[str] = []
        self.consent: dict[str, bool] = {}
        self.audiences: dict[str, int] = {}
        self.series: dict[str, Series] = {}
        self.cap_sends: list[Sent] = []
        self.communications: list[Communication] = []
        self.ended: list[Session] = []
        self.audience_checks: dict[str, int] = {}
        self.pending: list[Pending] = []
        self.sent_archive: list[Past] = []
        self.suppressed: list[int] = []
        self.presence: Presence | None = None
        self.participants: dict[str, Participant] = {}
        self.identity = identity


def opened(stored: StoredState) -> State:
    """Make the working copy of what is stored."""
    found = State(stored.clock, stored.control_applied)
    found.sequence = stored.sequence
    found.seen_floor = stored.seen_floor
    found.seen_ids = stored.seen_ids
    found.traits = stored.traits
    found.trait_ages = stored.trait_ages
    found.histories = stored.histories
    found.sessions = [_open(session) for session in stored.sessions]
    found.tags = stored.tags
    found.consent = stored.consent
    found.audiences = stored.audiences
    found.series = stored.series
    found.cap_sends = stored.cap_sends
    found.communications = stored.communications
    found.ended = [_open(session) for session in stored.ended]
    found.audience_checks = stored.audience_checks
    found.pending = stored.pending
    found.sent_archive = stored.sent_archive
    found.suppressed = stored.suppressed
    found.presence = stored.presence
    found.participants = stored.participants
    found.identity = stored.identity
    return found


def closed(state: State) -> StoredState:
    """Make what is stored of a working copy."""
    return StoredState(
        state.clock,
        state.control_applied,
        state.sequence,
        state.seen_floor,
        state.seen_ids,
        state.traits,
        state.trait_ages,
        state.histories,
        [_close(session) for session in state.sessions],
        state.tags,
        state.consent,
        state.audiences,
        state.series,
        state.cap_sends,
        state.communications,
        [_close(session) for session in state.ended],
        state.audience_checks,
        state.pending,
        state.sent_archive,
        state.suppressed,
        state.presence,
        state.participants,
        state.identity,
    )


def copied(state: State) -> State:
    """Make a second working copy, which shares all but its sessions with the first."""
    return opened(closed(state))


def _open(stored: StoredSession) -> Session:
    found = Session(
        stored.id,
        stored.flow,
        stored.version,
        stored.key,
        stored.started,
        stored.step,
        stored.since,
    )
    found.due = stored.due
    found.recheck_at = stored.recheck_at
    found.count = stored.count
    found.silent = stored.silent
    found.entry = stored.entry
    found.variables = stored.variables
    found.visits = stored.visits
    found.variants = stored.variants
    found.sent = stored.sent
    found.matched_cases = stored.matched_cases
    found.exit_true = stored.exit_true
    found.goals = stored.goals
    found.promotions = stored.promotions
    found.ended = stored.ended
    found.halt = stored.halt
    found.message = stored.message
    found.visit_deadline = stored.visit_deadline
    found.awaiting_call = stored.awaiting_call
    found.baseline = stored.baseline
    return found


def _close(session: Session) -> StoredSession:
    return StoredSession(
        session.id,
        session.flow,
        session.version,
        session.key,
        session.started,
        session.step,
        session.since,
        session.due,
        session.recheck_at,
        session.count,
        session.silent,
        session.entry,
        session.variables,
        session.visits,
        session.variants,
        session.sent,
        session.matched_cases,
        session.exit_true,
        session.goals,
        session.promotions,
        session.ended,
        session.halt,
        session.message,
        session.visit_deadline,
        session.awaiting_call,
        session.baseline,
    )
