"""The context of one run: a user's decoded state, the current instant, and the outputs so far."""

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
from transforms.flows.protocol.signals import CallResult, Signal
from transforms.flows.state.dedupe import remember
from transforms.flows.state.ids import draw, hashed, short

Data = dict[str, Any]
Answer = Callable[[Call, str], CallResult]
"""A host's sandbox: it runs the code of a call, with the same result for the same inputs."""

OUTSIDE: Final = FlowFacts(False, None, 0)
NOTHING: Final[Data] = {}
NOBODY: Final[frozenset[str]] = frozenset()
_UNKNOWN: Final = object()
EVERY_FLOW: Final = -1
ENDS: Final = -3
"""The return value of a step that ends the session."""


def _nowhere(flow: str) -> FlowFacts:
    return OUTSIDE


def _without(name: str) -> bool:
    return False


@final
class Handling:
    """Data of the signal or timer that is being handled.

    - ``causes``: the sessions that caused it; ``ancestors``: for each session that it started, the
      sessions that caused that one (R11); ``depth``: the level of the cascade
    - ``acting_session``: the session whose step runs; ``steps_walked``: steps by session (R6)
    - ``status_facts``: what triggers read of the message whose status is handled
    - ``inbound_owner``: the session that claimed an inbound message, by its case ``inbound_case``
    - ``inbound_message``: the message of a session that the inbound message starts
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
        self.status_facts = NOTHING
        self.inbound_owner = ""
        self.inbound_case = -1
        self.inbound_message = NOTHING


@final
class InternalSignal:
    """A signal that the core raises while it handles another one; it never leaves the core.

    ``causes`` are the sessions that caused it, ``source`` the last of them. ``changed`` maps traits
    to earlier values. ``applied``: the state contains it already. ``flow`` is the flow that enrolls
    or leaves. ``inbound_owner`` claimed the message that a status ``replied`` reports (R13).
    """

    def __init__(
        self,
        signal: Signal,
        depth: int,
        causes: frozenset[str] = NOBODY,
        changed: Data = NOTHING,
        applied: bool = True,
        source: str = "",
        flow: str = "",
        inbound_owner: str = "",
    ) -> None:
        self.signal = signal
        self.depth = depth
        self.causes = causes
        self.changed = changed
        self.applied = applied
        self.source = source
        self.flow = flow
        self.inbound_owner = inbound_owner


@final
class Context:
    """One user's decoded state, the current instant, and the outputs so far.

    ``now`` is the instant of the signal or timer that is being handled, ``cause`` its id in the
    outputs. ``answer`` is the host's sandbox, if it has one. ``flow_state_changed`` is True if the
    user's flow state must be written, ``is_new_user`` if the state began with this signal.
    """

    __slots__ = (
        "_base",
        "_fallback",
        "_flow_state_base",
        "_order",
        "_ordered_for",
        "_origin",
        "_outputs_made",
        "_timezone",
        "_viewed_session",
        "_zone",
        "_zone_plan",
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
        self._outputs_made = 0
        self._base = ""
        self._origin: tuple[str, ...] = ()
        self._timezone: object = _UNKNOWN
        self._fallback: str | None = None
        self._viewed_session: Session | None = None
        self._flow_state_base = ""
        self._zone = utc()
        self._zone_plan: object = _UNKNOWN
        self._ordered_for: list[Session] | None = None
        self._order: list[Session] = []
        self.view = View(
            zone=self._zone,
            traits=state.traits,
            tags=state.tags,
            audiences=state.audiences,
            series=state.series,
            flows=self.facts,
            consents=self.consents,
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
        """Drop the view's references to this context, so that both are freed at once."""
        self.view.flows, self.view.consents = _nowhere, _without

    def replace_state(self, state: State) -> None:
        """Replace the state of this user."""
        self.state = state
        self.attach_plans(state)
        view = self.view
        view.traits, view.tags = state.traits, state.tags
        view.audiences, view.series = state.audiences, state.series
        view.presence, view.participant = state.presence, {}
        self._timezone, self._ordered_for = _UNKNOWN, None
        self.queue.clear()
        self.flow_state_changed = self.is_new_user = False
        self.invalidate_view()

    def begin(self, cause: str, t: int, *origin: str) -> None:
        """Begin to handle one signal or timer.

        Output ids are hashes of ``origin``, a kind and parts; without it, of the signal's id.
        """
        self.cause, self.now = cause, t
        epoch = self.catalog.at(t)
        if epoch is not self.epoch:
            self.epoch, self._zone_plan, self._ordered_for = epoch, _UNKNOWN, None
        self.handling = Handling()
        self._outputs_made = 0
        self._origin = origin
        self._base = ""
        view = self.view
        view.event, view.event_name, view.communication = None, "", None
        self._viewed_session = None

    def goals_of(self, plan: Plan) -> GoalSet:
        """Return the goals of a flow that apply now (R24)."""
        return self.epoch.goals_of(plan)

    def next_session_output_id(self, session: Session) -> str:
        """Return the permanent id of the session's next output (R30)."""
        count = session.count + 1
        session.count = count
        return f"{session.id}-{count}"

    def flow_state_id(self) -> str:
        """Return the prefix of the ids of this user's flow states, hashed once per run."""
        if not self._flow_state_base:
            self._flow_state_base = hashed("flow_state", self.space, self.user)
        return self._flow_state_base

    def next_output_id(self) -> str:
        """Return the next permanent id outside of sessions: hash of the cause, number (R30)."""
        self._outputs_made += 1
        if not self._base:
            kind, *parts = self._origin or ("signal", self.cause)
            self._base = hashed(kind, self.space, self.user, *parts)
        return f"{self._base}-{self._outputs_made}"

    def emit_rejection(
        self,
        reason: str,
        flow: str | None = None,
        detail: str = "",
        step: str | None = None,
        cause: str | None = None,
    ) -> None:
        """Write a rejection with its reason (R7); ``cause`` is what is refused, if not the signal."""
        self.outputs.append(
            Rejection(
                id=self.next_output_id(),
                user=self.user,
                at=self.now,
                reason=reason,
                cause=self.cause if cause is None else cause,
                flow=flow,
                step=step,
                detail=detail,
            )
        )

    def ends(self, reason: str) -> int:
        """Keep the reason and return ENDS, for a step that ends its session."""
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
        """Write a dead letter for what could not be handled, and why."""
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
        """Remember the id of a signal, so that a duplicate is ignored (R5)."""
        state = self.state
        state.seen_ids, state.seen_floor = remember(
            state.seen_ids, short(name), own, clock, state.seen_floor
        )

    def enqueue(
        self, signal: Signal, changed: Data | None = None, applied: bool = True, flow: str = ""
    ) -> None:
        """Queue a signal that the current one raised."""
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
        """Write one transition of a session at its current step (R25)."""
        name, count, plan = session.id, session.count + 1, session.plan
        session.count = count
        state = self.state
        # As for flow states, the first is the instant: a returning user uses no number again.
        state.transitions = state.transitions + 1 if state.transitions else self.now
        self.outputs.append(
            # Positional arguments: eighteen keyword arguments take five times as long.
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
                state.transitions,
            )
        )

    def sessions_in_order(self) -> list[Session]:
        """Return the live sessions by priority of their flows, start and id.

        The returned list does not change when sessions start or end.
        """
        sessions = self.state.sessions
        if sessions is not self._ordered_for:
            self._ordered_for = self._order = sessions
            if len(sessions) > 1:
                flows = self.epoch.by_number
                self._order = sorted(
                    sessions, key=lambda s: (-flows[s.flow].priority, s.started, s.id)
                )
        return self._order

    def zone_of(self, plan: Plan | None) -> ZoneInfo:
        """Return the user's zone, else the flow's, else the space's (R16)."""
        if plan is self._zone_plan:
            return self._zone
        self._zone_plan = plan
        fallback = (plan.zone if plan is not None else None) or self.epoch.space.zone
        timezone = self.state.traits.get("timezone")
        if timezone is not self._timezone or fallback is not self._fallback:
            self._timezone, self._fallback = timezone, fallback
            self._zone = find_zone(timezone, fallback)
        return self._zone

    def view_for(self, plan: Plan | None = None) -> View:
        """Return what an expression outside of sessions reads now, in a flow or in none."""
        view = self._view_at(plan)
        view.entry, view.variables, view.session_id, view.session_started = {}, {}, "", 0
        view.message = NOTHING
        return view

    def view_of(self, session: Session) -> View:
        """Return what an expression of a session reads now.

        A second call for the same session and instant reuses the view. Parts of the state change
        in place; code that replaces one calls ``invalidate_view``.
        """
        view = self.view
        if session is self._viewed_session and self.now == view.now:
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
            self._viewed_session = session
        return view

    def _view_at(self, plan: Plan | None) -> View:
        view = self.view
        self._viewed_session = None
        view.now = self.now
        view.zone = self.zone_of(plan)
        if self.epoch.campaigns:
            view.participant = self.participant_of(plan)
        return view

    def participant_of(self, plan: Plan | None) -> Data:
        """Return the user's participant data in the flow's own campaign (C3)."""
        if plan is None or plan.campaign is None:
            return {}
        found = self.state.participants.get(plan.campaign)
        return {} if found is None else found.data

    def invalidate_view(self) -> None:
        """Discard the cached view, because the session's data or the user's zone has changed."""
        self._viewed_session, self._zone_plan = None, _UNKNOWN

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
        """Return the user's place in a flow.

        A silent session has no effect on others: only its own conditions see it (R19).
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

    def consents(self, name: str) -> bool:
        """Return True if the user may be sent messages of a channel, of a topic, or of both by ``:``.

        Of a topic alone: on at least one channel.
        """
        consent, epoch = self.state.consent, self.epoch
        channel, _, topic = name.partition(":")
        if not topic and channel in epoch.topics:
            return any(epoch.allows(consent, each, channel) for each in epoch.channels)
        return epoch.allows(consent, channel, topic or None)

    def suppressed(self, flow: int) -> bool:
        """Return True if a command keeps the user out of a flow, or of all (R19)."""
        return flow in self.state.suppressed or EVERY_FLOW in self.state.suppressed

    def held_out(self, plan: Plan) -> bool:
        """Return True if the user is in the holdout of a flow; the hash never changes (R19)."""
        share = plan.flow.holdout * 100
        return bool(share) and draw(self.space, plan.id, self.user, "holdout") < share


def _newest(session: Session, found: dict[str, Data]) -> Data | None:
    """Return the facts of the session's newest message, if they are still stored (C5)."""
    if not session.sent:
        return None
    last = max(session.sent, key=lambda number: int(session.sent[number].rpartition("-")[2]))
    node = session.plan.steps.get(last)
    if node is None or node.name not in found:
        return None
    return found[node.name] | {"name": node.name}
