"""A published version of a flow, compiled once: closures, targets by number, what it reads.

Steps keep the numbers that the catalog gave their names, so a state can refer to them. These
are data classes, not structs, because compiled they are read many times faster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, final

from transforms.flows.definitions.flow import Flow, Goal
from transforms.flows.definitions.space import Template
from transforms.flows.definitions.steps.kinds import Verb
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.values import Reenter
from transforms.flows.expressions.reads import Aggregate, Reads
from transforms.flows.expressions.view import Condition, View

END: Final = -1
ON_EXIT: Final = "on_exit."

NOTHING: Final = Reads()

Values = tuple[tuple[str, Callable[[View], Any]], ...]


@final
@dataclass(frozen=True)
class Matcher:
    """An event by name with its compiled condition, and the fields of the entry that this reads."""

    event: str
    where: Callable[[View], bool] | None
    entry_fields: frozenset[str] = frozenset()

    def test(self, view: View) -> bool:
        """Return whether the event in view matches."""
        return view.event_name == self.event and (self.where is None or self.where(view))


@final
@dataclass(frozen=True)
class InboundMatcher:
    """Which messages and calls a trigger or a case takes: no ``words`` means any.

    ``call`` None: messages and calls alike.
    """

    words: frozenset[str] = frozenset()
    call: bool | None = False
    number: str | None = None
    channel: str | None = None
    where: Callable[[View], bool] | None = None


@final
@dataclass(frozen=True)
class CompiledStep:
    """A compiled step.

    ``targets`` are the steps of its cases or branches, in their order; of a wait, ``conditions``,
    ``matchers`` and ``inbound_matchers`` have the same order, None where a case has none. ``ports``
    maps the other ports (``timeout``, ``missing``, reasons) to steps. ``awaited`` are the names of
    the events that it waits for, ``levels`` its cases that may be true at its beginning, ``timed``
    the conditions that time alone may change (R18). ``plain``: a send step that names no agent and
    no tracking.
    """

    number: int
    name: str
    verb: Verb
    then: int
    targets: tuple[int, ...] = ()
    conditions: tuple[Condition | None, ...] = ()
    matchers: tuple[Matcher | None, ...] = ()
    ports: dict[str, int] = field(default_factory=dict)
    values: tuple[Values, ...] = ()
    path: Callable[[View], Any] | None = None
    awaited: frozenset[str] = frozenset()
    levels: tuple[int, ...] = ()
    timed: tuple[Condition, ...] = ()
    reads: Reads = NOTHING
    inbound_matchers: tuple[InboundMatcher | None, ...] = ()
    plain: bool = True


@final
@dataclass(frozen=True)
class CompiledTrigger:
    """A compiled trigger: its matchers and condition, and the names of its events.

    ``kind`` names it in the first row of a session, which says why it started. ``entry_fields``
    are the fields of the first part that its conditions read.
    """

    trigger: Trigger
    number: int
    reenter: Reenter
    kind: str
    matchers: tuple[Matcher, ...] = ()
    where: Callable[[View], bool] | None = None
    before: Callable[[View], Any] | None = None
    after: Callable[[View], Any] | None = None
    path: Callable[[View], Any] | None = None
    events: frozenset[str] = frozenset()
    reads: Reads = NOTHING
    inbound: InboundMatcher | None = None
    entry_fields: frozenset[str] = frozenset()


@final
@dataclass(frozen=True)
class CompiledGoal:
    """A compiled goal: of an event with its matcher, of a state with its condition."""

    goal: Goal
    matcher: Matcher | None
    value: Callable[[View], Any] | None
    condition: Condition | None = None


@final
@dataclass(frozen=True)
class GoalSet:
    """Compiled goals, and what ended sessions keep for them (R24).

    ``fields`` and ``variables`` are what they read of a session, ``window`` is the longest
    time within which one counts, ``events`` are the names that they count. ``states`` are the goals
    on a condition or an audience, ``timed``: time alone may change one of them (R18).
    """

    goals: tuple[CompiledGoal, ...] = ()
    fields: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    window: int = 0
    events: frozenset[str] = frozenset()
    aggregates: tuple[Aggregate, ...] = ()
    reads_visits: bool = False
    states: tuple[CompiledGoal, ...] = ()
    timed: bool = False


@final
@dataclass(frozen=True)
class Plan:
    """A compiled version of a flow; ``id`` and ``zone`` are the flow's.

    ``entry_fields`` are the trigger's fields that a session keeps, ``goal_set`` its goals, unless
    the control log sets others. ``history`` is how long entries must be remembered, None for ever.
    ``awaited_sends`` are the send steps whose messages its waits and conditions read.
    ``has_state_readers``: its sessions must be evaluated again when their user moves in a flow, or
    a message changes. ``reads_last``: something reads the newest message of the session.
    ``reads_inbound``: it takes messages or calls of users. ``reads_visits``: something reads visits.
    """

    flow: Flow
    id: str
    zone: str | None
    number: int
    version: int
    steps: dict[int, CompiledStep]
    step_numbers: dict[str, int]
    first: int
    on_exit: int
    triggers: tuple[CompiledTrigger, ...]
    exit_matchers: tuple[Matcher, ...]
    exit_conditions: tuple[Condition, ...]
    exit_timed: tuple[Condition, ...]
    exit_audiences: frozenset[str]
    goal_set: GoalSet
    key: Callable[[View], Any] | None
    templates: dict[str, Template]
    entry_fields: frozenset[str]
    history: int | None
    events: frozenset[str]
    aggregates: tuple[Aggregate, ...]
    reads_communications: bool
    reads_last: bool
    awaited_sends: frozenset[int]
    has_state_readers: bool
    campaign: str | None = None
    reads_inbound: bool = False
    reads_visits: bool = False
