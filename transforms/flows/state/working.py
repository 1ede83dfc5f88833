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
        "call",
        "check",
        "count",
        "due",
        "ended",
        "ends",
        "entry",
        "flow",
        "goals",
        "halt",
        "happened",
        "id",
        "key",
        "loaded",
        "message",
        "promotions",
        "sent",
        "silent",
        "since",
        "started",
        "step",
        "true",
        "variables",
        "variants",
        "version",
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
        self.check: int | None = None
        self.count: int = 0
        self.silent = silent
        self.entry: Data = {} if entry is None else entry
        self.variables: Data = {}
        self.visits: dict[int, int] = {}
        self.variants: dict[int, int] = {}
        self.sent: dict[int, str] = {}
        self.happened: list[int] = []
        self.true: list[int] = []
        self.goals: list[str] = []
        self.promotions: list[Promotion] = []
        self.ended: int | None = None
        self.halt: Halt | None = None
        self.message: Data | None = None
        self.ends: int | None = None
        self.call: int = 0
        self.loaded: list[int] | None = None


@final
class State:
    """One user: the fields are those of ``StoredState``."""

    __slots__ = (
        "absorbed",
        "ages",
        "audiences",
        "checks",
        "clock",
        "communications",
        "consent",
        "dropped",
        "ended",
        "histories",
        "identity",
        "memory",
        "participants",
        "past",
        "pending",
        "presence",
        "sends",
        "sequence",
        "series",
        "sessions",
        "suppressed",
        "tags",
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
        self.absorbed = absorbed
        self.sequence = sequence
        self.dropped = dropped
        self.memory = memory
        self.traits: Data = {}
        self.ages: bytes = b""
        self.histories: dict[int, History] = {}
        self.sessions: list[Session] = []
        self.tags: list[str] = []
        self.consent: dict[str, bool] = {}
        self.audiences: dict[str, int] = {}
        self.series: dict[str, Series] = {}
        self.sends: list[Sent] = []
        self.communications: list[Communication] = []
        self.ended: list[Session] = []
        self.checks: dict[str, int] = {}
        self.pending: list[Pending] = []
        self.past: list[Past] = []
        self.suppressed: list[int] = []
        self.presence: Presence | None = None
        self.participants: dict[str, Participant] = {}
        self.identity = identity


def opened(stored: StoredState) -> State:
    """Make the working copy of what is stored."""
    found = State(stored.clock, stored.absorbed)
    found.sequence = stored.sequence
    found.dropped = stored.dropped
    found.memory = stored.memory
    found.traits = stored.traits
    found.ages = stored.ages
    found.histories = stored.histories
    found.sessions = [_open(session) for session in stored.sessions]
    found.tags = stored.tags
    found.consent = stored.consent
    found.audiences = stored.audiences
    found.series = stored.series
    found.sends = stored.sends
    found.communications = stored.communications
    found.ended = [_open(session) for session in stored.ended]
    found.checks = stored.checks
    found.pending = stored.pending
    found.past = stored.past
    found.suppressed = stored.suppressed
    found.presence = stored.presence
    found.participants = stored.participants
    found.identity = stored.identity
    return found


def closed(state: State) -> StoredState:
    """Make what is stored of a working copy."""
    return StoredState(
        state.clock,
        state.absorbed,
        state.sequence,
        state.dropped,
        state.memory,
        state.traits,
        state.ages,
        state.histories,
        [_close(session) for session in state.sessions],
        state.tags,
        state.consent,
        state.audiences,
        state.series,
        state.sends,
        state.communications,
        [_close(session) for session in state.ended],
        state.checks,
        state.pending,
        state.past,
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
    found.check = stored.check
    found.count = stored.count
    found.silent = stored.silent
    found.entry = stored.entry
    found.variables = stored.variables
    found.visits = stored.visits
    found.variants = stored.variants
    found.sent = stored.sent
    found.happened = stored.happened
    found.true = stored.true
    found.goals = stored.goals
    found.promotions = stored.promotions
    found.ended = stored.ended
    found.halt = stored.halt
    found.message = stored.message
    found.ends = stored.ends
    found.call = stored.call
    found.loaded = stored.loaded
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
        session.check,
        session.count,
        session.silent,
        session.entry,
        session.variables,
        session.visits,
        session.variants,
        session.sent,
        session.happened,
        session.true,
        session.goals,
        session.promotions,
        session.ended,
        session.halt,
        session.message,
        session.ends,
        session.call,
        session.loaded,
    )
