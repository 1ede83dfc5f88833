"""Triggers on the profile and on dates."""

from __future__ import annotations

from transforms.flows.clock.delays import Delay
from transforms.flows.clock.schedules import Moment
from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.values import Value
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

    moment: Moment
    yearly: bool = False
    where: Expr | None = None
    reenter: Reenter | None = None


class OnSchedule(Value, frozen=True, gc=False, tag="schedule"):
    """Enter at a date or a recurring time, for the members of an audience."""

    moment: Moment
    audience: str
    reenter: Reenter | None = None


ProfileTriggers = OnProfile | OnDate | OnSchedule
