"""The working copy of one user: plain classes with the fields of the stored records.

Generated from ``state/stored.py`` by ``make docs``; do not edit. Compiled, these classes are read
ten times faster than structs.
"""

from __future__ import annotations

from typing import Any, final

from transforms.flows.catalog.compiled import CompiledStep, Plan
from transforms.flows.state.codec import pack, unpack
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
    """One session of a flow, with the flow version that it runs in and the step that it is at."""

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
        "goals_true",
        "halt",
        "id",
        "key",
        "matched_cases",
        "message",
        "node",
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
    node: CompiledStep

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
        self.goals_true: list[str] = []

    def pin_to(self, plan: Plan) -> None:
        """Set the flow version that the session runs in; its step stays, if the version has it."""
        self.plan, self.version = plan, plan.version
        node = plan.steps.get(self.step)
        if node is not None:
            self.node = node

    def move_to(self, step: int) -> None:
        """Set the step that the session is at."""
        self.step, self.node = step, self.plan.steps[step]


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
        "converted",
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
        "transitions",
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
        self.transitions: int = 0
        self.converted: dict[int, list[str]] = {}


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
    session.goals_true = stored.goals_true
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
    state.transitions = stored.transitions
    state.converted = stored.converted
    return state


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
        session.goals_true,
    ]
    del row[_session_length(session) :]
    return row


def _session_length(session: Session) -> int:
    if session.goals_true:
        return 28
    if session.wait_data is not None:
        return 27
    if session.baseline is not None:
        return 26
    if session.awaiting_call:
        return 25
    if session.visit_deadline is not None:
        return 24
    if session.message is not None:
        return 23
    if session.halt is not None:
        return 22
    if session.ended is not None:
        return 21
    if session.promotions:
        return 20
    if session.goals:
        return 19
    if session.exit_true:
        return 18
    if session.matched_cases:
        return 17
    if session.sent:
        return 16
    if session.variants:
        return 15
    if session.visits:
        return 14
    if session.variables:
        return 13
    if session.entry:
        return 12
    if session.silent:
        return 11
    if session.count:
        return 10
    if session.recheck_at is not None:
        return 9
    if session.due is not None:
        return 8
    return 7


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
        state.histories,
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
        state.transitions,
        state.converted,
    ]
    del row[_state_length(state) :]
    return row


def _state_length(state: State) -> int:
    if state.converted:
        return 25
    if state.transitions:
        return 24
    if state.identity is not None:
        return 23
    if state.participants:
        return 22
    if state.presence is not None:
        return 21
    if state.suppressed:
        return 20
    if state.sent_archive:
        return 19
    if state.pending:
        return 18
    if state.audience_checks:
        return 17
    if state.ended:
        return 16
    if state.communications:
        return 15
    if state.cap_sends:
        return 14
    if state.series:
        return 13
    if state.audiences:
        return 12
    if state.consent:
        return 11
    if state.tags:
        return 10
    if state.sessions:
        return 9
    if state.histories:
        return 8
    if state.trait_ages:
        return 7
    if state.traits:
        return 6
    if state.seen_ids:
        return 5
    if state.seen_floor:
        return 4
    if state.sequence:
        return 3
    return 2


def decode(blob: bytes) -> State:
    """Open a blob of any released version; raise UnknownVersion for a newer one."""
    return open_state(unpack(blob))


def encode(state: State) -> bytes:
    """Write a state as a blob."""
    return pack(state_row(state))


def stored(state: State) -> StoredState:
    """Return a copy of a state as it is stored."""
    return unpack(encode(state))
