"""What a flow is, with its exit rules and goals: frozen values, closed unions, no behaviour.

The reader makes them from YAML, the catalog compiles them; a published flow never changes (R27).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, assert_never, get_args
from zoneinfo import ZoneInfo

from transforms.flows.clock.delays import Delay
from transforms.flows.clock.zones import parse_instant, utc
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import (
    Field,
    Flaw,
    Record,
    RecordsByName,
    Shape,
    Variant,
    Variants,
)
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS, Trigger
from transforms.flows.definitions.values import (
    EXIT_NAME,
    EventMatch,
    Reenter,
    Value,
    case_names,
    event,
    reenter,
)
from transforms.flows.expressions.scope import AtHand
from transforms.flows.expressions.syntax.ast import Expr

MAX_GOAL_DAYS = 400


class ExitEvent(Value, frozen=True, gc=False, tag="exit_event"):
    """Leave at once on an event (R23)."""

    match: EventMatch
    name: str | None = None


class ExitWhen(Value, frozen=True, gc=False, tag="exit_when"):
    """Leave at once when a condition becomes true (R23)."""

    when: Expr
    name: str | None = None


class ExitAudience(Value, frozen=True, gc=False, tag="exit_audience"):
    """Leave at once when the user leaves an audience (R23)."""

    audience: str
    name: str | None = None


ExitRule = ExitEvent | ExitWhen | ExitAudience


def rule_name(rules: tuple[ExitRule, ...], index: int) -> str | None:
    """Return the name of an exit rule, or its number; None if it is the only one, without a name."""
    return rules[index].name or (f"exit_{index + 1}" if len(rules) > 1 else None)


def exit_names(rules: tuple[ExitRule, ...]) -> Iterator[Flaw]:
    """Refuse names of exit rules that are taken."""
    return case_names("exit", [rule.name for rule in rules])


class GoalEvent(Value, frozen=True, gc=False, tag="goal"):
    """An event that counts as success ``within`` a time after the entry (R24, I22)."""

    name: str
    match: EventMatch
    within: Delay
    value: Expr | None = None


class GoalWhen(Value, frozen=True, gc=False, tag="goal_when"):
    """A condition that becomes true ``within`` a time after the entry (R24)."""

    name: str
    when: Expr
    within: Delay
    value: Expr | None = None


class GoalAudience(Value, frozen=True, gc=False, tag="goal_audience"):
    """The user enters an audience ``within`` a time after the entry (R24)."""

    name: str
    audience: str
    within: Delay
    value: Expr | None = None


Goal = GoalEvent | GoalWhen | GoalAudience


def goal_expressions(goal: Goal) -> tuple[Expr, ...]:
    """Return the expressions of a goal: its condition and its value."""
    match goal:
        case GoalEvent():
            condition = goal.match.where
        case GoalWhen():
            condition = goal.when
        case GoalAudience():
            condition = None
        case _:
            assert_never(goal)
    return tuple(expr for expr in (condition, goal.value) if expr is not None)


# fmt: off
EXIT_KINDS = (
    Variant(
        struct=ExitEvent,
        fields=(event(), EXIT_NAME),
        about="An event.",
        example="- event: Order Completed",
    ),
    Variant(
        struct=ExitWhen,
        fields=(Field("when", forms.Condition(), "The condition.", needed=True), EXIT_NAME),
        about="A condition that becomes true; what is true at the entry is no exit.",
        example='- when: user.plan == "free"',
    ),
    Variant(
        struct=ExitAudience,
        fields=(Field("left", forms.Listed("audience"), "Its name.", "audience", needed=True), EXIT_NAME),
        about="An audience that the user leaves.",
        example="- left: vip",
    ),
)
"""How each exit rule is written."""

WITHIN = Field(
    "within", forms.Delay(MAX_GOAL_DAYS),
    "Counted from the entry, also after the exit; at most 400 days.", needed=True,
)
WORTH = "A number, for example an amount; the sum of them is the revenue."
STATE_ROOTS: tuple[AtHand, ...] = ("entry", "session")
"""What the condition of a goal may read besides the user: what is kept after the exit."""

GOAL_KINDS = (
    Variant(
        struct=GoalEvent,
        fields=(event(), WITHIN, Field("value", forms.Expression("number", event=True), WORTH)),
        about="An event.",
        example="bought: {event: Order Completed, within: 30d, value: event.total}",
    ),
    Variant(
        struct=GoalWhen,
        fields=(
            Field("when", forms.Condition(roots=STATE_ROOTS), "The condition.", needed=True),
            WITHIN, Field("value", forms.Expression("number", roots=STATE_ROOTS), WORTH),
        ),
        about="A condition that becomes true after the entry. A condition that is true at the "
        "entry counts once it was false and is true again.",
        example='upgraded: {when: user.plan == "pro", within: 30d}',
    ),
    Variant(
        struct=GoalAudience,
        fields=(
            Field("enters", forms.Listed("audience"), "Its name.", "audience", needed=True),
            WITHIN, Field("value", forms.Expression("number", roots=STATE_ROOTS), WORTH),
        ),
        about="An audience that the user enters after the entry, the same as a condition "
        "`when: audience.vip`.",
        example="joined: {enters: vip, within: 60d}",
    ),
)
"""How each goal is written."""
# fmt: on


AtEnd = Literal["drain", "stop"]


class Schedule(Value, frozen=True, gc=False, tag="schedule_of_flow"):
    """When a flow takes entries: local ISO texts in the flow's zone (I18-I20).

    ``indefinitely`` asks the controller to stop it not 90 days after its launch, but once no
    step was reached for 90 days (R28).
    """

    start: str | None = None
    end: str | None = None
    at_end: AtEnd = "drain"
    indefinitely: bool = False

    def instants(self, where: ZoneInfo) -> tuple[int | None, int | None]:
        """Return the start and the end as instants."""
        start = parse_instant(self.start, where) if self.start else None
        return start, parse_instant(self.end, where) if self.end else None


class Flow(Value, frozen=True, gc=False, tag="flow"):
    """One flow, as its file says. Without ``zone`` the space's zone is the fallback (R16).

    ``group`` names the flows that compete with it for a user.
    """

    id: str
    enter: tuple[Trigger, ...]
    steps: tuple[Step, ...]
    about: str = ""
    priority: int = 0
    zone: str | None = None
    schedule: Schedule = Schedule()
    holdout: int = 0
    key: Expr | None = None
    simultaneous: bool = False
    reenter: Reenter = Reenter()
    exit: tuple[ExitRule, ...] = ()
    goals: tuple[Goal, ...] = ()
    exit_on_goal: bool = False
    on_exit: tuple[Step, ...] = ()
    group: str | None = None
    campaign: str | None = None


class FlowId(forms.Name, frozen=True, gc=False):
    """The name of a flow, which is also that of its file."""


class Steps(forms.Form, frozen=True, gc=False):
    """A map of names with steps."""


class Several(forms.Flag, frozen=True, gc=False):
    """A flag whose usual value depends on whether the flow belongs to a campaign (C22)."""


def _flow(values: dict[str, Any]) -> Flow:
    return Flow(**{"simultaneous": values.get("campaign") is not None, **values})


def _values_of(flow: Flow) -> dict[str, Any]:
    """Return the values of a flow's fields; ``simultaneous`` is None where it is as usual."""
    values = {name: getattr(flow, name) for name in flow.__struct_fields__}
    usual = flow.simultaneous == (flow.campaign is not None)
    return values | {"simultaneous": None if usual else flow.simultaneous}


def _ends_after_start(schedule: Schedule) -> Iterator[Flaw]:
    start, end = schedule.instants(utc())
    if start is not None and end is not None and end <= start:
        message = f"the schedule ends at {schedule.end}, not after its start at {schedule.start}"
        yield Flaw(("end",), "schedule-order", message)


# fmt: off
SCHEDULE = Shape(
    struct=Schedule, checks=(_ends_after_start,),
    fields=(
        Field("start", forms.Instant(), "No entries before it."),
        Field("end", forms.Instant(), "No entries from then on."),
        Field("at_end", forms.Choice(get_args(AtEnd)),
            "`drain` lets sessions go on to their end, `stop` ends them."),
        Field("indefinitely", forms.Flag(),
            "The controller stops the flow once no step was reached for 90 days, not 90 days after "
            "its launch. Not for a flow that is entered at one moment only."),
    ),
    about="When a flow takes entries, in its zone.",
)

FLOW = Shape(
    struct=Flow, build=_flow, take=_values_of,
    fields=(
        Field("flow", FlowId("a flow"), "The flow's id, which is also the name of its file.", "id",
            needed=True),
        Field("about", forms.Text(), "A sentence for people."),
        Field("campaign", forms.Listed("campaign"),
            "The [campaign](space.md#campaigns) that the flow belongs to: it shares its "
            "participants with the other flows of the campaign."),
        Field("priority", forms.Whole(),
            "Flows with a higher number go first where several react to one signal. 0 is usual."),
        Field("group", forms.Listed("group"),
            "A [group of flows](space.md#groups) that compete for a user, who is in one of them "
            "at a time, say. Of one signal the flow with the higher priority is first."),
        Field("zone", forms.Zone(),
            "The zone of users who have no trait `timezone`; without it that of the space."),
        Field("schedule", Record(SCHEDULE, "schedule"), "When the flow takes entries."),
        Field("holdout", forms.Percent(),
            "The share of users who go through the flow, but get nothing."),
        Field("enter", Variants(TRIGGER_KINDS),
            "Ways to enter, in order; where two match one signal, the first listed enters.",
            needed=True),
        Field("key", forms.Expression(roots=("entry",)),
            "A value that distinguishes sessions of one user: one session a user and key. It "
            "reads the data of the entry, as in `entry.cart_id`."),
        Field("simultaneous", Several(),
            "Several sessions of a user (and key) at once. Usual in a campaign, where `false` "
            "switches it off."),
        reenter("Whether and when a user may enter again. Without it: at once after the exit."),
        Field("exit", Variants(EXIT_KINDS),
            "What ends a session at once, also in the middle of a wait."),
        Field("goals", RecordsByName(GOAL_KINDS, "a goal"),
            "Events, conditions and audiences that count as success, by name."),
        Field("exit_on_goal", forms.Flag(), "A session ends when one of its goals is reached."),
        Field("on_exit", Steps(),
            "Steps that run when a session ends, for any reason. They may not wait."),
        Field("steps", Steps(),
            "The steps by name, in reading order; the first is where sessions begin.", needed=True),
    ),
    about="A flow.",
)
# fmt: on
