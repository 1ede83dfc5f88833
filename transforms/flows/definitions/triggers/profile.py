"""Triggers on the profile and on dates."""

from __future__ import annotations

from collections.abc import Iterator

from transforms.flows.clock.delays import Delay
from transforms.flows.clock.schedules import When
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Flaw, TriggerKind
from transforms.flows.definitions.values import AGAIN, Reenter, Value, where
from transforms.flows.expressions.syntax.ast import Expr


class OnProfile(Value, frozen=True, gc=False, tag="profile"):
    """Enter when a trait changes: to or from a value, in any way, or held for a time (I3)."""

    trait: str
    before: Expr | None = None
    after: Expr | None = None
    held: Delay | None = None
    where: Expr | None = None
    reenter: Reenter | None = None


class OnDate(Value, frozen=True, gc=False, tag="date"):
    """Enter at a date of the profile, n days before or after it, once or yearly (I3)."""

    moment: When
    yearly: bool = False
    where: Expr | None = None
    reenter: Reenter | None = None


class OnSchedule(Value, frozen=True, gc=False, tag="schedule"):
    """Enter at a date or a recurring time, for the members of an audience."""

    moment: When
    audience: str
    reenter: Reenter | None = None


ProfileTriggers = OnProfile | OnDate | OnSchedule


def _of_the_user(trigger: OnDate) -> Iterator[Flaw]:
    if trigger.moment.kind != "path":
        message = f'"{trigger.moment.text}" is not a date of the user'
        hint = "write for example user.birthday - 3d at 09:00; at: takes other moments"
        yield Flaw(("date",), "invalid-moment", message, hint)


def _of_all_users(trigger: OnSchedule) -> Iterator[Flaw]:
    if trigger.moment.kind == "path":
        message = f'"{trigger.moment.text}" differs from user to user'
        hint = "write a date or a recurring time here; date: takes dates of the user"
        yield Flaw(("at",), "invalid-moment", message, hint)


# fmt: off
KINDS = (
    TriggerKind(
        struct=OnProfile, title="{trait} changes",
        fields=(
            Field("changed", forms.Trait(), "The trait, without `user.`.", "trait", needed=True),
            Field("from", forms.Expression(), "Only from this value; an expression.", "before",
                shown="from {}"),
            Field("to", forms.Expression(), "Only to this value; an expression.", "after",
                shown="to {}"),
            Field("held", forms.Delay(),
                "Only if it stays so for this long; the entry is at the end of that time.",
                shown="held for {}"),
            where("A condition, judged at the entry."),
            AGAIN,
        ),
        about="A trait that changes.",
        example="- changed: plan\n  to: '\"pro\"'\n  held: 1d",
    ),
    TriggerKind(
        struct=OnDate, title="{moment}", checks=(_of_the_user,),
        fields=(
            Field("date", forms.Moment(), "The moment.", "moment", needed=True),
            Field("yearly", forms.Flag(), "Each anniversary of it.", shown="every year"),
            where("A condition, judged at that moment."),
            AGAIN,
        ),
        about="A date of the profile, or an offset from it.",
        example="- date: anniversary of user.birthday - 3d at 09:00",
    ),
    TriggerKind(
        struct=OnSchedule, title="{moment}", checks=(_of_all_users,),
        fields=(
            Field("at", forms.Moment(), "The moment.", "moment", needed=True),
            Field("audience", forms.Listed("audience"), "Whose members enter.", needed=True,
                shown="everyone in {}"),
            AGAIN,
        ),
        about="A date or a recurring time, for the members of an audience.",
        example="- {at: mon 09:00, audience: vip}",
    ),
)
"""How these triggers are written, in the order of the reference."""
# fmt: on
