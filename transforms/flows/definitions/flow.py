"""What a flow is: frozen values, closed unions, no behaviour.

The loader makes them from YAML, ``plan`` compiles them; a published flow never changes (R27).
"""

from __future__ import annotations

from typing import Literal

from transforms.flows.clock.delays import Delay
from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.values import EventMatch, Value
from transforms.flows.expressions.syntax.ast import Expr

# --- exit and goals ------------------------------------------------------------


class ExitEvent(Value, frozen=True, gc=False, tag="exit_event"):
    """Leave at once on an event (R23)."""

    match: EventMatch


class ExitWhen(Value, frozen=True, gc=False, tag="exit_when"):
    """Leave at once when a condition becomes true (R23)."""

    when: Expr


class ExitAudience(Value, frozen=True, gc=False, tag="exit_audience"):
    """Leave at once when the user leaves an audience (R23)."""

    audience: str


ExitRule = ExitEvent | ExitWhen | ExitAudience


class Goal(Value, frozen=True, gc=False, tag="goal"):
    """An event that counts as success ``within`` a time after the entry (R24, I22)."""

    name: str
    match: EventMatch
    within: Delay
    value: Expr | None = None


# --- the flow and its space --------------------------------------------------------


class Schedule(Value, frozen=True, gc=False, tag="schedule_of_flow"):
    """When a flow takes entries: local ISO texts in the flow's zone (I18-I20).

    ``indefinitely`` asks the controller to stop it not 90 days after its launch, but once no
    step was reached for 90 days (R28).
    """

    start: str | None = None
    end: str | None = None
    at_end: Literal["drain", "stop"] = "drain"
    indefinitely: bool = False


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
