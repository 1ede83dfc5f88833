"""What ends a session at once, and what counts as success: exit rules and goals."""

from __future__ import annotations

from transforms.flows.clock.delays import Delay
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Shape, Variant
from transforms.flows.definitions.values import EventMatch, Value, event
from transforms.flows.expressions.syntax.ast import Expr

MAX_GOAL_DAYS = 100


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


# fmt: off
EXIT_KINDS = (
    Variant(
        struct=ExitEvent,
        fields=(event(),),
        about="An event.",
        example="- event: Order Completed",
    ),
    Variant(
        struct=ExitWhen,
        fields=(Field("when", forms.Condition(), "The condition.", needed=True),),
        about="A condition that becomes true; what is true at the entry is no exit.",
        example='- when: user.plan == "free"',
    ),
    Variant(
        struct=ExitAudience,
        fields=(Field("left", forms.Listed("audience"), "Its name.", "audience", needed=True),),
        about="An audience that the user leaves.",
        example="- left: vip",
    ),
)
"""How each exit rule is written."""

GOAL = Shape(
    struct=Goal,
    fields=(
        event(),
        Field("within", forms.Delay(MAX_GOAL_DAYS),
            "Counted from the entry, also after the exit; at most 100 days.", needed=True),
        Field("value", forms.Expression("number", event=True),
            "A number, for example an amount; the sum of them is the revenue."),
    ),
    about="Events that count as success, by name.",
    example="bought: {event: Order Completed, within: 30d, value: event.total}",
)
# fmt: on
