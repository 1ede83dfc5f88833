"""A read-only view of the control log: what holds as of any instant, and until when that is known.

Between two effective instants nothing changes: that is an era. A catalog is a value (R3).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, final

from transforms.flows.catalog.compiled import Aims, Matcher, Plan, Start
from transforms.flows.definitions.space import Campaign, Channel, Group, Space, Topic
from transforms.flows.expressions.evaluation.condition import Condition
from transforms.flows.expressions.reads import Aggregate, Reads
from transforms.flows.expressions.view import View
from transforms.flows.protocol.control_records import ControlRecord

NEVER: Final = 1 << 53
Status = Literal["draft", "scheduled", "running", "paused", "draining", "finished"]


@final
@dataclass(frozen=True)
class FlowView:
    """A flow as of an era: its current version, status and priority.

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
class Counted:
    """An aggregate to keep: its compiled condition and value, and how long entries are kept."""

    aggregate: Aggregate
    matcher: Matcher
    value: Callable[[View], Any] | None
    horizon: int


@final
@dataclass(frozen=True)
class Effect:
    """What a control record does to a user: ``what`` at an instant, to a flow or to all.

    ``reason`` is the code that outputs carry; of a pause and its resume, what that does (R26).
    A migration has the ``version`` that sessions are taken to, and the ``successors`` of steps
    that it lacks, by number (R27).
    """

    at: int
    what: Literal[
        "publish", "migrate", "start", "pause", "resume", "drain", "stop", "space", "other"
    ]
    flow: int | None = None
    reason: str = ""
    version: int = 0
    successors: dict[int, int] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Grouped:
    """A group with the numbers of its flows, and for how long entries count in it (P15)."""

    group: Group
    flows: frozenset[int]
    memory: int


@final
@dataclass(frozen=True)
class Era:
    """What holds from ``since`` until the next era.

    ``flows`` are in order of priority, then id (section 3). ``entering`` maps an event's
    name to the flows that it may start, ``counted`` to the aggregates that it feeds,
    ``hearing`` to the audiences that it may change; ``other`` are those that any event may.
    ``joining`` maps an audience, entered or left, to the triggers on it, ``dated`` and
    ``profiled`` are the flows with triggers of those kinds, ``told`` those with triggers on
    messages. ``tagged`` says that a trigger waits for a tag. ``watching``: an audience, or a
    session of some version, reads where users stand in flows, or what was sent to them.
    ``paused`` are the numbers of the flows that are. ``aims`` are the goals that records set,
    by flow (R24), ``winners`` the best branches by flow and step, ``kills`` the flow and the
    channel, or all, of every kill switch that is on, ``answering`` the flows with triggers on
    what users send, ``joined`` those with triggers on participants. ``visiting``: something reads
    visits. ``groups`` are the flows that compete, by name.
    ``plain``: no channel names an agent, tracking or links.
    """

    since: int
    space: Space
    flows: tuple[FlowView, ...]
    by_number: dict[int, FlowView]
    by_id: dict[str, FlowView]
    audiences: tuple[ComputedAudience, ...]
    static_audiences: frozenset[str]
    counted: dict[str, tuple[Counted, ...]]
    entering: dict[str, tuple[FlowView, ...]]
    channels: dict[str, Channel]
    topics: dict[str, Topic]
    cap_memory: int
    dated: tuple[FlowView, ...]
    profiled: tuple[FlowView, ...]
    joining: dict[tuple[str, bool], tuple[tuple[FlowView, Start], ...]]
    hearing: dict[str, tuple[ComputedAudience, ...]]
    other: tuple[ComputedAudience, ...]
    watching: bool
    told: tuple[FlowView, ...]
    tagged: bool
    paused: frozenset[int]
    aims: dict[int, Aims]
    winners: dict[tuple[int, int], str]
    kills: tuple[tuple[int | None, str | None], ...]
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    joined: tuple[FlowView, ...] = ()
    answering: tuple[FlowView, ...] = ()
    visiting: bool = False
    groups: dict[str, Grouped] = field(default_factory=dict)
    plain: bool = True

    def killed(self, flow: int, channel: str | None) -> bool:
        """Tell whether what a flow sends on a channel, or anywhere else, may not leave."""
        return any(f in (None, flow) and c in (None, channel) for f, c in self.kills)


@final
@dataclass(frozen=True)
class Catalog:
    """The eras in order, every published version, and until when the log is complete.

    The first era is from 0 and empty: before the first record nothing is defined.
    ``heard`` maps an event's name to the instant since when a definition reads it, ``goals``
    are the names of those that a goal of some version counts, ``migrations`` the effects that
    take sessions along. ``priced``: a channel has prices, or counts parts. ``listens`` is since
    when some version hears what users send; since ``hears_all`` every event is read, for the
    visits (J11).
    """

    eras: tuple[Era, ...]
    since: tuple[int, ...]
    effects: tuple[Effect, ...]
    effective: tuple[int, ...]
    plans: dict[tuple[int, int], Plan]
    numbers: dict[str, int]
    ids: tuple[str, ...]
    heard: dict[str, int]
    goals: frozenset[str]
    complete_until: int = NEVER
    records: tuple[ControlRecord, ...] = ()
    migrations: tuple[Effect, ...] = ()
    priced: bool = False
    listens: int = NEVER
    hears_all: int = NEVER

    def at(self, t: int) -> Era:
        """Return the era that holds at an instant."""
        last = self.eras[-1]
        return last if t >= last.since else self.eras[max(0, bisect_right(self.since, t) - 1)]

    def read_since(self, event: str) -> int:
        """Return the instant since when something reads an event of a name, NEVER if nothing does."""
        return min(self.heard.get(event, NEVER), self.hears_all)

    def complete(self, until: int) -> Catalog:
        """Return the same log, said to be complete until an instant."""
        return replace(self, complete_until=until)

    def next_effect(self, after: int, until: int) -> Effect | None:
        """Return the first effect later than ``after`` and not later than ``until``."""
        if not self.effective or after >= self.effective[-1]:
            return None
        at = bisect_right(self.effective, after)
        return self.effects[at] if at < len(self.effects) and self.effective[at] <= until else None

    def effects_at(self, instant: int) -> tuple[Effect, ...]:
        """Return all effects of one instant, in the order of the log."""
        return self.effects[
            bisect_right(self.effective, instant - 1) : bisect_right(self.effective, instant)
        ]
