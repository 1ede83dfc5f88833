"""The working copy of one user: plain classes with the fields of the stored records.

Generated from ``state/stored.py`` by ``make docs``; do not edit. Compiled, these classes are read
ten times faster than structs.
"""

from __future__ import annotations

from typing import Any, final

from msgspec.structs import astuple

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
        due: int | None = None,
        recheck_at: int | None = None,
        count: int = 0,
        silent: bool = False,
        entry: Data | None = None,
        variables: Data | None = None,
        visits: dict[int, int] | None = None,
        variants: dict[int, int] | None = None,
        sent: dict[int, str] | None = None,
        matched_cases: list[int] | None = None,
        exit_true: list[int] | None = None,
        goals: list[str] | None = None,
        promotions: list[Promotion] | None = None,
        ended: int | None = None,
        halt: Halt | None = None,
        message: Data | None = None,
        visit_deadline: int | None = None,
        awaiting_call: int = 0,
        baseline: list[int] | None = None,
        wait_data: Any = None,
        goals_true: list[str] | None = None,
    ) -> None:
        self.id = id
        self.flow = flow
        self.version = version
        self.key = key
        self.started = started
        self.step = step
        self.since = since
        self.due = due
        self.recheck_at = recheck_at
        self.count = count
        self.silent = silent
        self.entry: Data = {} if entry is None else entry
        self.variables: Data = {} if variables is None else variables
        self.visits: dict[int, int] = {} if visits is None else visits
        self.variants: dict[int, int] = {} if variants is None else variants
        self.sent: dict[int, str] = {} if sent is None else sent
        self.matched_cases: list[int] = [] if matched_cases is None else matched_cases
        self.exit_true: list[int] = [] if exit_true is None else exit_true
        self.goals: list[str] = [] if goals is None else goals
        self.promotions: list[Promotion] = [] if promotions is None else promotions
        self.ended = ended
        self.halt = halt
        self.message = message
        self.visit_deadline = visit_deadline
        self.awaiting_call = awaiting_call
        self.baseline = baseline
        self.wait_data = wait_data
        self.goals_true: list[str] = [] if goals_true is None else goals_true

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
        sequence: int = 0,
        seen_floor: int = 0,
        seen_ids: bytes = b"",
        traits: Data | None = None,
        trait_ages: bytes = b"",
        histories: dict[int, History] | None = None,
        sessions: list[Session] | None = None,
        tags: list[str] | None = None,
        consent: dict[str, bool] | None = None,
        audiences: dict[str, int] | None = None,
        series: dict[str, Series] | None = None,
        cap_sends: list[Sent] | None = None,
        communications: list[Communication] | None = None,
        ended: list[Session] | None = None,
        audience_checks: dict[str, int] | None = None,
        pending: list[Pending] | None = None,
        sent_archive: list[Past] | None = None,
        suppressed: list[int] | None = None,
        presence: Presence | None = None,
        participants: dict[str, Participant] | None = None,
        identity: Identity | None = None,
        transitions: int = 0,
        converted: dict[int, list[str]] | None = None,
    ) -> None:
        self.clock = clock
        self.control_applied = control_applied
        self.sequence = sequence
        self.seen_floor = seen_floor
        self.seen_ids = seen_ids
        self.traits: Data = {} if traits is None else traits
        self.trait_ages = trait_ages
        self.histories: dict[int, History] = {} if histories is None else histories
        self.sessions: list[Session] = [] if sessions is None else sessions
        self.tags: list[str] = [] if tags is None else tags
        self.consent: dict[str, bool] = {} if consent is None else consent
        self.audiences: dict[str, int] = {} if audiences is None else audiences
        self.series: dict[str, Series] = {} if series is None else series
        self.cap_sends: list[Sent] = [] if cap_sends is None else cap_sends
        self.communications: list[Communication] = [] if communications is None else communications
        self.ended: list[Session] = [] if ended is None else ended
        self.audience_checks: dict[str, int] = {} if audience_checks is None else audience_checks
        self.pending: list[Pending] = [] if pending is None else pending
        self.sent_archive: list[Past] = [] if sent_archive is None else sent_archive
        self.suppressed: list[int] = [] if suppressed is None else suppressed
        self.presence = presence
        self.participants: dict[str, Participant] = {} if participants is None else participants
        self.identity = identity
        self.transitions = transitions
        self.converted: dict[int, list[str]] = {} if converted is None else converted


def open_session(stored: StoredSession) -> Session:
    """Make the working copy of a stored session."""
    found = astuple(stored)
    return Session(
        found[0],
        found[1],
        found[2],
        found[3],
        found[4],
        found[5],
        found[6],
        found[7],
        found[8],
        found[9],
        found[10],
        found[11],
        found[12],
        found[13],
        found[14],
        found[15],
        found[16],
        found[17],
        found[18],
        found[19],
        found[20],
        found[21],
        found[22],
        found[23],
        found[24],
        found[25],
        found[26],
        found[27],
    )


def open_state(stored: StoredState) -> State:
    """Make the working copy of a stored state."""
    found = astuple(stored)
    state = State(
        found[0],
        found[1],
        found[2],
        found[3],
        found[4],
        found[5],
        found[6],
        found[7],
        found[8],
        found[9],
        found[10],
        found[11],
        found[12],
        found[13],
        found[14],
        found[15],
        found[16],
        found[17],
        found[18],
        found[19],
        found[20],
        found[21],
        found[22],
        found[23],
        found[24],
    )
    state.sessions = [open_session(one) for one in stored.sessions]
    state.ended = [open_session(one) for one in stored.ended]
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
