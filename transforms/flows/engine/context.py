"""The context of one run: a user's open state, the instant, and the outputs so far.

The rest of the engine works on it; it opens a blob, and only what it gives back leaves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, final
from zoneinfo import ZoneInfo

from transforms.flows.catalog.compiled import GoalSet, Plan
from transforms.flows.catalog.epochs import Catalog, Epoch
from transforms.flows.clock.zones import find_zone, utc
from transforms.flows.engine.working import Session, State
from transforms.flows.expressions.view import FlowFacts, View
from transforms.flows.protocol.outputs import AnyOutput, Call, DeadLetter, Rejection, Transition
from transforms.flows.protocol.signals import CallResult, InternalSignal, Signal
from transforms.flows.state.dedupe import remember
from transforms.flows.state.ids import draw, hashed, short

Data = dict[str, Any]
Answer = Callable[[Call, str], CallResult]
"""A host's sandbox: it runs a function on a call's inputs, always to the same result."""

OUTSIDE: Final = FlowFacts(False, None, 0)
NOTHING: Final[Data] = {}
NOBODY: Final[frozenset[str]] = frozenset()
_UNKNOWN: Final = object()
EVERY_FLOW: Final = -1
ENDS: Final = -3
"""What a step returns that ends the session."""


def _nowhere(flow: str) -> FlowFacts:
    return OUTSIDE


@final
class Handling:
    """What holds while one signal or due thing is handled, and what it raised.

    ``causes`` are the sessions that caused what is handled, ``ancestors`` those that caused each
    session started by it (R11); ``depth`` counts the cascade. ``acting_session`` is the session
    whose step runs, ``steps_walked`` counts the steps of each session (R6). ``status_facts`` is
    what triggers read of the message whose status is handled. ``inbound_owner`` is the session
    that an inbound message goes to, by its case ``inbound_case``; ``inbound_message`` is what an
    entry by it begins with.
    """

    __slots__ = (
        "acting_session",
        "ancestors",
        "causes",
        "depth",
        "inbound_case",
        "inbound_message",
        "inbound_owner",
        "status_facts",
        "steps_run",
        "steps_walked",
    )

    def __init__(self) -> None:
        self.ancestors: dict[str, frozenset[str]] = {}
        self.causes: frozenset[str] = NOBODY
        self.depth = 0
        self.acting_session = ""
        self.steps_walked: dict[str, int] = {}
        self.steps_run = 0
        self.status_facts: Data = {}
        self.inbound_owner = ""
        self.inbound_case = -1
        self.inbound_message: Data = {}


class Context:
    """One user's open state, the instant at hand, and what was decided so far.

    ``now`` is the instant of the signal or due thing that is handled, ``cause`` its id in the
    outputs. ``answer`` is the host's sandbox, if it has one. ``flow_state_changed`` says that the
    user's flow state is to be written, ``is_new_user`` that the state began with this signal.
    """

    __slots__ = (
        "_arranged",
        "_base",
        "_counts",
        "_fallback",
        "_looked",
        "_order",
        "_standing",
        "_timezone",
        "_zone",
        "_zoned",
        "answer",
        "catalog",
        "cause",
        "end_reason",
        "epoch",
        "flow_state_changed",
        "handling",
        "is_new_user",
        "now",
        "outputs",
        "plans",
        "queue",
        "space",
        "state",
        "user",
        "view",
    )

    def __init__(
        self,
        catalog: Catalog,
        user: str,
        state: State,
        answer: Answer | None = None,
    ) -> None:
        self.catalog = catalog
        self.answer = answer
        self.plans = catalog.plans
        self.user = user
        self.state = state
        self.epoch: Epoch = catalog.epochs[-1]
        self.space = self.epoch.space.name
        self.outputs: list[AnyOutput] = []
        self.queue: deque[InternalSignal] = deque()
        self.cause = ""
        self.handling = Handling()
        self.end_reason = ""
        self.now = -1
        self.flow_state_changed = False
        self.is_new_user = False
        self._counts = 0
        self._base = ""
        self._timezone: object = _UNKNOWN
        self._fallback: str | None = None
        self._looked: Session | None = None
        self._standing = ""
        self._zone = utc()
        self._zoned: object = _UNKNOWN
        self._arranged: list[Session] | None = None
        self._order: list[Session] = []
        self.view = View(
            zone=self._zone,
            traits=state.traits,
            tags=state.tags,
            audiences=state.audiences,
            series=state.series,
            flows=self.facts,
        )
        self.view.presence = state.presence
        self.attach_plans(state)

    def attach_plans(self, state: State) -> None:
        """Give each session of a state the flow version that it is pinned to (R27)."""
        plans = self.plans
        for session in state.sessions:
            session.pin_to(plans[session.flow, session.version])
        for session in state.ended:
            session.pin_to(plans[session.flow, session.version])

    def close(self) -> None:
        """Drop the view's reference to this context, so that both are freed at once."""
        self.view.flows = _nowhere

    def replace_state(self, state: State) -> None:
        """Replace the state of this user."""
        self.state = state
        self.attach_plans(state)
        view = self.view
        view.traits, view.tags = state.traits, state.tags
        view.audiences, view.series = state.audiences, state.series
        view.presence, view.participant = state.presence, {}
        self._timezone, self._arranged = _UNKNOWN, None
        self.queue.clear()
        self.flow_state_changed = self.is_new_user = False
        self.invalidate_view()

    def begin(self, cause: str, t: int, origin: str = "") -> None:
        """Begin to handle one signal or due thing; ids are made from its ``origin``, else its cause."""
        self.cause, self.now = cause, t
        epoch = self.catalog.at(t)
        if epoch is not self.epoch:
            self.epoch, self._zoned, self._arranged = epoch, _UNKNOWN, None
        self.handling = Handling()
        self._counts = 0
        self._base = hashed(self.space, self.user, origin) if origin else ""
        view = self.view
        view.event, view.event_name, view.communication = None, "", None
        self._looked = None

    def goals_of(self, plan: Plan) -> GoalSet:
        """Return the goals of a flow: those a control record set, else those of the version (R24)."""
        aims = self.epoch.goal_sets
        return aims.get(plan.number, plan.goal_set) if aims else plan.goal_set

    def next_session_output_id(self, session: Session) -> str:
        """Return the permanent id of the session's next output (R30)."""
        count = session.count + 1
        session.count = count
        return f"{session.id}-{count}"

    def flow_state_id(self) -> str:
        """Return what the ids of this user's flow states begin with, hashed once a run."""
        if not self._standing:
            self._standing = hashed(self.space, self.user, "flow_state")
        return self._standing

    def next_output_id(self) -> str:
        """Return the next permanent id of what belongs to no session: cause and number (R30)."""
        self._counts += 1
        if not self._base:
            self._base = hashed(self.space, self.user, self.cause)
        return f"{self._base}-{self._counts}"

    def emit_rejection(
        self,
        reason: str,
        flow: str | None = None,
        detail: str = "",
        step: str | None = None,
    ) -> None:
        """Say that something was refused (R7)."""
        self.outputs.append(
            Rejection(
                id=self.next_output_id(),
                user=self.user,
                at=self.now,
                reason=reason,
                cause=self.cause,
                flow=flow,
                step=step,
                detail=detail,
            )
        )

    def ends(self, reason: str) -> int:
        """Return what a step returns that ends the session, and keep the reason."""
        self.end_reason = reason
        return ENDS

    def emit_dead_letter(
        self,
        reason: str,
        detail: str,
        name: str = "",
        flow: str | None = None,
        step: str | None = None,
    ) -> None:
        """Write that something could not be handled, and why."""
        self.outputs.append(
            DeadLetter(
                id=name or self.next_output_id(),
                user=self.user,
                at=self.now,
                reason=reason,
                cause=self.cause,
                flow=flow,
                step=step,
                detail=detail,
            )
        )

    def remember_id(self, name: str, own: int, clock: int) -> None:
        """Remember the id of a signal, so that it changes nothing when it comes again (R5)."""
        state = self.state
        state.seen_ids, state.seen_floor = remember(
            state.seen_ids, short(name), own, clock, state.seen_floor
        )

    def enqueue(
        self, signal: Signal, changed: Data | None = None, applied: bool = True, flow: str = ""
    ) -> None:
        """Queue a signal that the present one raised."""
        handling = self.handling
        depth, acting = handling.depth + 1, handling.acting_session
        raised = InternalSignal(
            signal, depth, handling.causes, changed or {}, applied, acting, flow
        )
        self.queue.append(raised)

    def emit_transition(
        self,
        what: str,
        session: Session,
        *,
        reason: str | None = None,
        variant: str | None = None,
        until: int | None = None,
        since: int | None = None,
        first: bool = False,
    ) -> None:
        """Write one row about a session, at the step that it is at (R25)."""
        name, count, plan = session.id, session.count + 1, session.plan
        session.count = count
        self.outputs.append(
            # By place: naming seventeen fields takes five times as long.
            Transition(
                f"{name}-{count}",
                self.user,
                self.now,
                plan.id,
                plan.version,
                name,
                session.node.name,
                what,
                session.key,
                session.visits.get(session.step, 0),
                self.cause,
                reason,
                variant,
                until,
                since,
                first,
                session.silent,
            )
        )

    def sessions_in_order(self) -> list[Session]:
        """Return the live sessions by priority of their flows, start and id (section 3).

        The list is one of its own, and stays as it is while sessions start and end.
        """
        sessions = self.state.sessions
        if sessions is not self._arranged:
            self._arranged = self._order = sessions
            if len(sessions) > 1:
                flows = self.epoch.by_number
                self._order = sorted(
                    sessions, key=lambda s: (-flows[s.flow].priority, s.started, s.id)
                )
        return self._order

    def zone_of(self, plan: Plan | None) -> ZoneInfo:
        """Return the user's zone, else the flow's, else the space's (R16)."""
        if plan is self._zoned:
            return self._zone
        self._zoned = plan
        fallback = (plan.zone if plan is not None else None) or self.epoch.space.zone
        timezone = self.state.traits.get("timezone")
        if timezone is not self._timezone or fallback is not self._fallback:
            self._timezone, self._fallback = timezone, fallback
            self._zone = find_zone(timezone, fallback)
        return self._zone

    def view_for(self, plan: Plan | None = None) -> View:
        """Return what an expression reads now that belongs to no session: of a flow, or of none."""
        view = self._view_at(plan)
        view.entry, view.variables, view.session_id, view.session_started = {}, {}, "", 0
        view.message = NOTHING
        return view

    def view_of(self, session: Session) -> View:
        """Return what an expression of a session reads now.

        A second call for the same session and instant costs nothing: what the state holds changes
        in place, and code that replaces it calls ``invalidate_view``.
        """
        view = self.view
        if session is self._looked and self.now == view.now:
            return view
        plan = session.plan
        self._view_at(plan)
        view.entry, view.variables = session.entry, session.variables
        view.message = session.message or NOTHING
        view.session_id, view.session_started = session.id, session.started
        if plan.reads_communications:
            view.communications = found = self._communications(session)
            if plan.reads_last:
                view.communication = _newest(session, found)
        else:
            self._looked = session
        return view

    def _view_at(self, plan: Plan | None) -> View:
        view = self.view
        self._looked = None
        view.now = self.now
        view.zone = self.zone_of(plan)
        if self.epoch.campaigns:
            view.participant = self.participant_of(plan)
        return view

    def participant_of(self, plan: Plan | None) -> Data:
        """Return the user in a flow's campaign: nothing of other campaigns (C3)."""
        if plan is None or plan.campaign is None:
            return {}
        found = self.state.participants.get(plan.campaign)
        return {} if found is None else found.data

    def invalidate_view(self) -> None:
        """Build the view again next time: the session's data or the user's zone has changed."""
        self._looked, self._zoned = None, _UNKNOWN

    def _communications(self, session: Session) -> dict[str, Data]:
        steps = session.plan.steps
        by_id = {c.id: c for c in self.state.communications}
        found: dict[str, Data] = {}
        for number, name in session.sent.items():
            node, sent = steps.get(number), by_id.get(name)
            if node is not None and sent is not None:
                facts = {"status": sent.status, "channel": sent.channel}
                found[node.name] = sent.facts.get("data", {}) | sent.facts | facts
        return found

    def facts(self, flow: str) -> FlowFacts:
        """Return where the user stands in a flow.

        What is silent has no effect outside of itself: only its own conditions see it (R19).
        """
        number = self.catalog.numbers.get(flow)
        if number is None:
            return OUTSIDE
        history, own = self.state.histories.get(number), self.view.session_id
        times = history.times if history is not None else 0
        for session in self.state.sessions:
            if session.flow == number and (not session.silent or session.id == own):
                node = session.plan.steps.get(session.step)
                return FlowFacts(True, node.name if node else None, times or 1)
        held_out = times and self.held_out(self.epoch.by_number[number].plan)
        return FlowFacts(False, None, 0 if held_out else times)

    def suppressed(self, flow: int) -> bool:
        """Return True if a command keeps the user out of a flow, or of all (R19)."""
        return flow in self.state.suppressed or EVERY_FLOW in self.state.suppressed

    def held_out(self, plan: Plan) -> bool:
        """Return True if the user is in the holdout of a flow, always the same one (R19)."""
        share = plan.flow.holdout * 100
        return bool(share) and draw(self.space, plan.id, self.user, "holdout") < share


def _newest(session: Session, found: dict[str, Data]) -> Data | None:
    """Return the facts of the message that the session made last, if it is remembered (C5)."""
    if not session.sent:
        return None
    last = max(session.sent, key=lambda number: int(session.sent[number].rpartition("-")[2]))
    node = session.plan.steps.get(last)
    if node is None or node.name not in found:
        return None
    return found[node.name] | {"name": node.name}
