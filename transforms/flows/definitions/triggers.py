"""How users enter a flow: frozen values, one closed union."""

from __future__ import annotations

from typing import Literal

from transforms.flows.clock.delays import Delay, Period
from transforms.flows.clock.schedules import Moment
from transforms.flows.definitions.values import EventMatch, Value
from transforms.flows.expressions.syntax.ast import Expr


class Limit(Value, frozen=True, gc=False, tag="limit"):
    """At most ``most`` within each ``per`` (I15, R2)."""

    most: int
    per: Period


class Reenter(Value, frozen=True, gc=False, tag="reenter"):
    """Whether and when a user may enter again (I13-I15, I17)."""

    allowed: bool = True
    after: Delay | None = None
    limits: tuple[Limit, ...] = ()


class OnEvent(Value, frozen=True, gc=False, tag="event"):
    """Enter on an event (B5)."""

    match: EventMatch
    reenter: Reenter | None = None


class OnCombination(Value, frozen=True, gc=False, tag="combination"):
    """Enter when several events happened within a period (I4).

    ``without``: the first part happened and none of the others followed ``within`` it.
    """

    how: Literal["all", "any", "sequence", "without"]
    parts: tuple[EventMatch, ...]
    within: Delay
    reenter: Reenter | None = None


class OnProfile(Value, frozen=True, gc=False, tag="profile"):
    """Enter when a trait changes: to or from a value, in any way, or held for a time (I3)."""

    trait: str
    before: Expr | None = None
    after: Expr | None = None
    held: Delay | None = None
    where: Expr | None = None
    reenter: Reenter | None = None


LAUNCHED = ("member", "launch")
"""What triggers say that are a predefined audience: who belongs to it when the flow starts."""


class OnAudience(Value, frozen=True, gc=False, tag="audience"):
    """Enter when an audience is entered or left, or as a member of it at the launch (L9, I2).

    ``member``: also who joins later; ``launch``: nobody later (I21).
    """

    audience: str
    when: Literal["entered", "left", "member", "launch"] = "entered"
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


class OnEnter(Value, frozen=True, gc=False, tag="enter"):
    """Enter by an ``Enter`` signal: the Flow API, a launch, an upload, another flow (I9)."""

    where: Expr | None = None
    reenter: Reenter | None = None


class OnFlow(Value, frozen=True, gc=False, tag="from_flow"):
    """Enter when another flow enrolls the user (C12)."""

    flow: str
    where: Expr | None = None
    reenter: Reenter | None = None


class OnCommunication(Value, frozen=True, gc=False, tag="communication"):
    """Enter when a message of any flow comes to a status, or to a final one (C9, C10)."""

    when: Literal["updated", "ended"]
    where: Expr | None = None
    reenter: Reenter | None = None


class OnTag(Value, frozen=True, gc=False, tag="tag"):
    """Enter when a tag is added to the user, or removed, or with it at the launch (I29, I2)."""

    tag: str
    when: Literal["added", "removed", "member", "launch"] = "added"
    reenter: Reenter | None = None


class OnPeople(Value, frozen=True, gc=False, tag="people"):
    """Enter as one of the people of a list whom a launch names (I2)."""

    reenter: Reenter | None = None


class OnInbound(Value, frozen=True, gc=False, tag="inbound"):
    """Enter when the user sends one of these keywords; without any, whatever the words (I5, I6)."""

    keywords: tuple[str, ...] = ()
    number: str | None = None
    channel: str | None = None
    where: Expr | None = None
    reenter: Reenter | None = None


class OnCall(Value, frozen=True, gc=False, tag="call"):
    """Enter when the user calls a number (I8)."""

    number: str
    channel: str | None = None
    where: Expr | None = None
    reenter: Reenter | None = None


class OnIncoming(Value, frozen=True, gc=False, tag="incoming"):
    """Enter by any message or call of the user in a channel, whatever the number (C11)."""

    channel: str
    where: Expr | None = None
    reenter: Reenter | None = None


class OnParticipant(Value, frozen=True, gc=False, tag="participant"):
    """Enter when a participant of the campaign is created, or a field of it changes (C7, C8).

    ``always``: created each time it is uploaded (C22).
    """

    when: Literal["created", "updated"]
    field: str | None = None
    always: bool = False
    where: Expr | None = None
    reenter: Reenter | None = None


Trigger = (
    OnEvent
    | OnCombination
    | OnProfile
    | OnAudience
    | OnDate
    | OnSchedule
    | OnEnter
    | OnFlow
    | OnCommunication
    | OnTag
    | OnInbound
    | OnCall
    | OnIncoming
    | OnPeople
    | OnParticipant
)
