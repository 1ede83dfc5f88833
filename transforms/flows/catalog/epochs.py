"""A read-only view of the control log: what holds at any instant, and until when that is known.

An epoch is the time between two effective instants, in which nothing changes. A catalog is a value
(R3).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, final

from transforms.flows.catalog.compiled import CompiledTrigger, GoalSet, Plan
from transforms.flows.definitions.space import Campaign, Channel, Group, Space, Topic
from transforms.flows.expressions.reads import Aggregate, Reads
from transforms.flows.expressions.view import Condition, View
from transforms.flows.protocol.control_records import ControlRecord

NEVER: Final = 1 << 53
Status = Literal["draft", "scheduled", "running", "paused", "draining", "finished"]


@final
@dataclass(frozen=True)
class FlowView:
    """A flow as of an epoch: its current version, status and priority.

    ``refusal`` is the reason for refusing entries while it is not running (R19).
    """

    plan: Plan
    status: Status
    priority: int
    refusal: str = "flow_not_running"


@final
@dataclass(frozen=True)
class ComputedAudience:
    """A computed audience (R18) and what it reads."""

    name: str
    condition: Condition
    reads: Reads


@final
@dataclass(frozen=True)
class KeptAggregate:
    """An aggregate to keep: its compiled condition and value, and for how long entries are kept."""

    aggregate: Aggregate
    where: Callable[[View], bool] | None
    value: Callable[[View], Any] | None
    horizon: int


@final
@dataclass(frozen=True)
class Effect:
    """The effect of a control record on users: ``what`` at an instant, to a flow or to all.

    ``reason`` is the code in outputs; of a pause and its resume, the resume mode (R26). A migration
    has the ``version`` that sessions migrate to, and the ``successors`` of steps that it lacks, by
    number (R27).
    """

    at: int
    what: Literal[
        "publish", "migrate", "start", "pause", "resume", "drain", "stop", "goals", "space", "other"
    ]
    flow: int | None = None
    reason: str = ""
    version: int = 0
    successors: dict[int, int] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class FlowGroup:
    """A group with the numbers of its flows, and for how long entries count in it (P15)."""

    group: Group
    flows: frozenset[int]
    memory: int


@final
@dataclass(frozen=True)
class Epoch:
    """What holds from ``since`` until the next epoch.

    ``flows`` are in order of priority, then id. ``by_event`` maps the name of an event
    to the flows that it may start, ``aggregates_by_event`` to the aggregates that count it (None:
    messages that leave), ``audiences_by_event`` to the audiences that it may change;
    ``state_audiences`` are those that any event may change. ``by_audience`` maps an audience,
    entered or left, to the triggers on it.
    ``with_dates``, ``by_trait``, ``by_communication``, ``by_inbound`` and ``by_participant`` are the
    flows with triggers of those kinds; ``reads_tags``: one is on a tag. ``has_state_readers``: an
    audience, or a session of some version, reads the user's progress in flows, or messages.
    ``paused`` are the numbers of paused flows. ``goal_sets`` are the goals that records set, by flow
    (R24), ``winners`` the best branches by flow and step, ``kill_switches`` the flow and channel, or
    all, of every kill switch that is on. ``reads_visits``: something reads visits. ``groups`` are the
    flows that compete, by name. ``untracked``: no channel names an agent, tracking or links.
    """

    since: int
    space: Space
    flows: tuple[FlowView, ...]
    by_number: dict[int, FlowView]
    by_id: dict[str, FlowView]
    audiences: tuple[ComputedAudience, ...]
    static_audiences: frozenset[str]
    aggregates_by_event: dict[str | None, tuple[KeptAggregate, ...]]
    by_event: dict[str, tuple[FlowView, ...]]
    channels: dict[str, Channel]
    topics: dict[str, Topic]
    cap_memory: int
    with_dates: tuple[FlowView, ...]
    by_trait: tuple[FlowView, ...]
    by_audience: dict[tuple[str, bool], tuple[tuple[FlowView, CompiledTrigger], ...]]
    audiences_by_event: dict[str, tuple[ComputedAudience, ...]]
    state_audiences: tuple[ComputedAudience, ...]
    has_state_readers: bool
    by_communication: tuple[FlowView, ...]
    reads_tags: bool
    paused: frozenset[int]
    goal_sets: dict[int, GoalSet]
    winners: dict[tuple[int, int], str]
    kill_switches: tuple[tuple[int | None, str | None], ...]
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    by_participant: tuple[FlowView, ...] = ()
    by_inbound: tuple[FlowView, ...] = ()
    reads_visits: bool = False
    groups: dict[str, FlowGroup] = field(default_factory=dict)
    untracked: bool = True

    def with_changes(self, since: int, changes: dict[str, Any]) -> Epoch:
        """Return the epoch that begins at an instant, with other fields."""
        return replace(self, since=since, **changes)

    def goals_of(self, plan: Plan) -> GoalSet:
        """Return the goals of a flow: those that a record set, else those of the version (R24)."""
        goal_sets = self.goal_sets
        return goal_sets.get(plan.number, plan.goal_set) if goal_sets else plan.goal_set

    def allows(self, consent: dict[str, bool], channel: str, topic: str | None) -> bool:
        """Return True if a user consents to messages of a topic, or of none, on a channel."""
        if not consent.get(channel, True):
            return False
        if topic is None:
            return True
        default = not (topic in self.topics and self.topics[topic].opt_in)
        return consent.get(f"{channel}:{topic}", consent.get(topic, default))

    def killed(self, flow: int, channel: str | None) -> bool:
        """Return whether a kill switch stops the messages of a flow on a channel."""
        return any(f in (None, flow) and c in (None, channel) for f, c in self.kill_switches)


@final
@dataclass(frozen=True)
class Catalog:
    """The epochs in order, every published version, and until when the log is complete.

    The first epoch is from 0 and empty: before the first record nothing is defined.
    ``events_read_since`` maps the name of an event to the instant since when a definition reads it,
    ``goals`` are the names of the events that goals of any version count; ``state_goals``: a goal of
    some version is on a condition or an audience. ``migrations`` are the effects that migrate
    sessions. ``priced``: a channel has prices, or counts parts. Since ``inbound_since`` some version
    takes messages of users; since ``all_events_since`` every event is read, because visits are (J11).
    """

    epochs: tuple[Epoch, ...]
    since: tuple[int, ...]
    effects: tuple[Effect, ...]
    effect_times: tuple[int, ...]
    plans: dict[tuple[int, int], Plan]
    numbers: dict[str, int]
    ids: tuple[str, ...]
    events_read_since: dict[str, int]
    goals: frozenset[str]
    complete_until: int = NEVER
    records: tuple[ControlRecord, ...] = ()
    migrations: tuple[Effect, ...] = ()
    priced: bool = False
    inbound_since: int = NEVER
    all_events_since: int = NEVER
    state_goals: bool = False

    def at(self, t: int) -> Epoch:
        """Return the epoch that holds at an instant."""
        last = self.epochs[-1]
        return last if t >= last.since else self.epochs[max(0, bisect_right(self.since, t) - 1)]

    def read_since(self, event: str) -> int:
        """Return the instant since when a definition reads an event, NEVER if none does."""
        return min(self.events_read_since.get(event, NEVER), self.all_events_since)

    def complete(self, until: int) -> Catalog:
        """Return the same catalog, complete until an instant."""
        return replace(self, complete_until=until)

    def next_effect(self, after: int, until: int) -> Effect | None:
        """Return the first effect later than ``after`` and not later than ``until``."""
        if not self.effect_times or after >= self.effect_times[-1]:
            return None
        effect = self.effects[bisect_right(self.effect_times, after)]
        return effect if effect.at <= until else None

    def effects_at(self, instant: int) -> tuple[Effect, ...]:
        """Return all effects of one instant, in the order of the log."""
        return self.effects[
            bisect_right(self.effect_times, instant - 1) : bisect_right(self.effect_times, instant)
        ]
