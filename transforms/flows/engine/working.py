"""The working copy of one user: plain classes with the fields of the stored records.

Generated from ``state/stored.py`` by ``make docs``; do not edit. Compiled, these classes are read
ten times faster than structs.
"""

from __future__ import annotations

from typing import Any, Final, final

from transforms.flows.catalog.compiled import CompiledStep, Plan
from transforms.flows.state.codec import pack, trim, unpack
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
    Visit,
)


@final
class Session:
    """One session of a flow, and the flow's version that it runs in."""

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
        "plan",
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
        "wait_data",
    )

    plan: Plan

    @property
    def node(self) -> CompiledStep:
        """Return the step that the session is at."""
        return self.plan.steps[self.step]

    def __init__(
        self,
        id: str,
        flow: int,
        version: int,
        key: str,
        started: int,
        step: int,
        since: int,
    ) -> None:
        self.id = id
        self.flow = flow
        self.version = version
        self.key = key
        self.started = started
        self.step = step
        self.since = since
        self.due: int | None = None
        self.recheck_at: int | None = None
        self.count: int = 0
        self.silent: bool = False
        self.entry: Data = {}
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
        self.wait_data: Any = None


@final
class State:
    """All that is remembered of one user."""

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
        control_applied: int,
    ) -> None:
        self.clock = clock
        self.control_applied = control_applied
        self.sequence: int = 0
        self.seen_floor: int = 0
        self.seen_ids: bytes = b""
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
        self.identity: Identity | None = None


def open_session(stored: StoredSession) -> Session:
    """Make the working copy of a stored session."""
    session = Session(
        stored.id,
        stored.flow,
        stored.version,
        stored.key,
        stored.started,
        stored.step,
        stored.since,
    )
    session.due = stored.due
    session.recheck_at = stored.recheck_at
    session.count = stored.count
    session.silent = stored.silent
    session.entry = stored.entry
    session.variables = stored.variables
    session.visits = stored.visits
    session.variants = stored.variants
    session.sent = stored.sent
    session.matched_cases = stored.matched_cases
    session.exit_true = stored.exit_true
    session.goals = stored.goals
    session.promotions = stored.promotions
    session.ended = stored.ended
    session.halt = stored.halt
    session.message = stored.message
    session.visit_deadline = stored.visit_deadline
    session.awaiting_call = stored.awaiting_call
    session.baseline = stored.baseline
    session.wait_data = stored.wait_data
    return session


def open_state(stored: StoredState) -> State:
    """Make the working copy of a stored state."""
    state = State(stored.clock, stored.control_applied)
    state.sequence = stored.sequence
    state.seen_floor = stored.seen_floor
    state.seen_ids = stored.seen_ids
    state.traits = stored.traits
    state.trait_ages = stored.trait_ages
    state.histories = stored.histories
    state.sessions = [open_session(one) for one in stored.sessions]
    state.tags = stored.tags
    state.consent = stored.consent
    state.audiences = stored.audiences
    state.series = stored.series
    state.cap_sends = stored.cap_sends
    state.communications = stored.communications
    state.ended = [open_session(one) for one in stored.ended]
    state.audience_checks = stored.audience_checks
    state.pending = stored.pending
    state.sent_archive = stored.sent_archive
    state.suppressed = stored.suppressed
    state.presence = stored.presence
    state.participants = stored.participants
    state.identity = stored.identity
    return state


_VISIT_DEFAULTS: Final = "rne"


def visit_row(visit: Visit) -> list[Any]:
    """Return the fields of a visit in their stored order, without empty ones at the end."""
    row: list[Any] = [
        visit.entered,
        visit.took,
        visit.key,
    ]
    trim(row, _VISIT_DEFAULTS)
    return row


_HISTORY_DEFAULTS: Final = "eeen"


def history_row(history: History) -> list[Any]:
    """Return the fields of a history in their stored order, without empty ones at the end."""
    row: list[Any] = [
        history.times,
        [visit_row(one) for one in history.visits],
        history.reached,
        history.launches,
    ]
    trim(row, _HISTORY_DEFAULTS)
    return row


_SESSION_DEFAULTS: Final = "rrrrrrrnneeeeeeeeeeennnnenn"


def session_row(session: Session) -> list[Any]:
    """Return the fields of a session in their stored order, without empty ones at the end."""
    row: list[Any] = [
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
        session.wait_data,
    ]
    trim(row, _SESSION_DEFAULTS)
    return row


_STATE_DEFAULTS: Final = "rreeeeeeeeeeeeeeeeeenen"


def state_row(state: State) -> list[Any]:
    """Return the fields of a state in their stored order, without empty ones at the end."""
    row: list[Any] = [
        state.clock,
        state.control_applied,
        state.sequence,
        state.seen_floor,
        state.seen_ids,
        state.traits,
        state.trait_ages,
        {flow: history_row(one) for flow, one in state.histories.items()},
        [session_row(one) for one in state.sessions],
        state.tags,
        state.consent,
        state.audiences,
        state.series,
        state.cap_sends,
        state.communications,
        [session_row(one) for one in state.ended],
        state.audience_checks,
        state.pending,
        state.sent_archive,
        state.suppressed,
        state.presence,
        state.participants,
        state.identity,
    ]
    trim(row, _STATE_DEFAULTS)
    return row


def decode(blob: bytes) -> State:
    """Open a blob of any released version; raise UnknownVersion for a newer one."""
    return open_state(unpack(blob))


def encode(state: State) -> bytes:
    """Write a state as a blob."""
    return pack(state_row(state))


def stored(state: State) -> StoredState:
    """Return a copy of a state as it is stored."""
    return unpack(encode(state))
