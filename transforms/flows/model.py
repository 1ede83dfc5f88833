"""What a flow is: frozen values, closed unions, no behaviour.

The loader makes them from YAML, ``plan`` compiles them; a published flow never changes (R27).
"""

from __future__ import annotations

from typing import Literal

from transforms.flows.expressions import Expr
from transforms.flows.times import Delay, Moment, Period
from transforms.flows.verbs import (
    Branch,
    CallApi,
    CallWebhook,
    CancelAll,
    Case,
    CaseAudience,
    CaseCall,
    CaseEvent,
    CaseInbound,
    CaseStatus,
    CaseWhen,
    ChangeAudience,
    EmitEvent,
    End,
    Enroll,
    EventMatch,
    ExportFields,
    If,
    IfCase,
    Keywords,
    Leave,
    MatchMessage,
    Named,
    Promote,
    RunCode,
    Send,
    Split,
    Step,
    Update,
    Value,
    Verb,
    Wait,
    WaitFor,
    WaitUntil,
    WaitVisit,
    WaitWindow,
    Winning,
)
from transforms.flows.windows import Window

__all__ = [
    "LAUNCHED",
    "Agent",
    "Audience",
    "Auth",
    "Branch",
    "CallApi",
    "CallWebhook",
    "Campaign",
    "CancelAll",
    "Cap",
    "Case",
    "CaseAudience",
    "CaseCall",
    "CaseEvent",
    "CaseInbound",
    "CaseStatus",
    "CaseWhen",
    "ChangeAudience",
    "Channel",
    "Connection",
    "Destination",
    "EmitEvent",
    "End",
    "Enroll",
    "EventMatch",
    "ExitAudience",
    "ExitEvent",
    "ExitRule",
    "ExitWhen",
    "ExportFields",
    "Flow",
    "Goal",
    "Group",
    "If",
    "IfCase",
    "Keywords",
    "Leave",
    "Limit",
    "MatchMessage",
    "Named",
    "Number",
    "OnAudience",
    "OnCall",
    "OnCombination",
    "OnCommunication",
    "OnDate",
    "OnEnter",
    "OnEvent",
    "OnFlow",
    "OnInbound",
    "OnIncoming",
    "OnParticipant",
    "OnPeople",
    "OnProfile",
    "OnSchedule",
    "OnTag",
    "Promote",
    "Reenter",
    "RunCode",
    "Schedule",
    "Send",
    "Space",
    "Split",
    "Step",
    "Template",
    "Topic",
    "Trigger",
    "Update",
    "Value",
    "Verb",
    "Wait",
    "WaitFor",
    "WaitUntil",
    "WaitVisit",
    "WaitWindow",
    "Winning",
]

# --- entry -------------------------------------------------------------------


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


class Audience(Value, frozen=True, gc=False, tag="audience_definition"):
    """A named audience: computed where it has a condition (R18), else static."""

    name: str
    when: Expr | None = None


class Template(Value, frozen=True, gc=False, tag="template"):
    """A message template: its fields' Liquid sources and the paths that they read.

    ``version`` is a hash of the text. ``reads`` holds paths such as ``("user", "name")``.
    """

    name: str
    version: str
    fields: tuple[tuple[str, str], ...]
    reads: tuple[tuple[str, ...], ...]


class Cap(Value, frozen=True, gc=False, tag="cap"):
    """At most ``limit`` messages to a user over all flows, by channel and topic if named (R14)."""

    limit: Limit
    channel: str | None = None
    topic: str | None = None


class Topic(Value, frozen=True, gc=False, tag="topic"):
    """A subject that users may leave, or must choose (``opt_in``)."""

    name: str
    opt_in: bool = False


Prices = tuple[tuple[str, float], ...]
"""The price of a part by the beginning of the address; the empty one is that of all others."""


class Channel(Value, frozen=True, gc=False, tag="channel"):
    """A way to reach a user: ``address`` names the trait, or ``user`` for the user id.

    ``kind`` names the known kind that it is one of. ``price`` is what a part costs; ``parts`` says
    how they are counted, ``link`` how many characters a shortened link has. ``agent`` sends where the step
    names none. ``track`` and ``links`` hold for messages whose step says nothing else; ``tracks``
    is what can be tracked on it at all (I31).
    """

    name: str
    address: str = ""
    kind: str | None = None
    price: Prices = ()
    parts: Literal["one", "gsm"] = "one"
    link: int = 25
    agent: str | None = None
    track: tuple[str, ...] = ()
    links: Literal["short", "whole"] = "whole"
    tracks: tuple[str, ...] = ("opens", "clicks")


class Agent(Value, frozen=True, gc=False, tag="agent"):
    """A configured sender on a channel: a mailbox, a number, a bot, a voice scenario (C15).

    ``menu`` says what digits mean that a caller presses; ``settings`` are for the worker.
    """

    name: str
    channel: str
    sender: str | None = None
    scenario: str | None = None
    menu: tuple[tuple[str, str], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


class Number(Value, frozen=True, gc=False, tag="number"):
    """A number or a sender's name, and the channels on which it takes messages and calls."""

    name: str
    messages: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


class Group(Value, frozen=True, gc=False, tag="group"):
    """Flows that compete for a user: in how many at a time, and how many entries (P15)."""

    name: str
    at_once: int | None = 1
    limits: tuple[Limit, ...] = ()


class Campaign(Value, frozen=True, gc=False, tag="campaign"):
    """Flows that share participants: the fields of these with their types, and their statuses.

    What is not declared is not checked. A new participant has the first status (C3).
    """

    name: str
    fields: tuple[tuple[str, str], ...] = ()
    statuses: tuple[str, ...] = ()


class Auth(Value, frozen=True, gc=False, tag="auth"):
    """How requests prove who sends them; ``secret`` is a reference, ``env:NAME``, never a secret.

    ``name`` is the user of ``basic``, or the header that carries the secret.
    """

    how: Literal["bearer", "basic", "header", "signed"]
    secret: str
    name: str | None = None


class Connection(Value, frozen=True, gc=False, tag="connection"):
    """An interface that flows call: where it is, and what every request carries (J9, J14)."""

    name: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    auth: Auth | None = None


class Destination(Value, frozen=True, gc=False, tag="destination"):
    """Where exports go (L4, L10): a path of a connection, or of files or objects, a topic, a table."""

    name: str
    kind: Literal["http", "file", "store", "topic", "table"]
    address: str
    connection: str | None = None
    format: str | None = None


class Space(Value, frozen=True, gc=False, tag="space"):
    """One workspace: what its flows share.

    ``events`` and ``traits`` declare types by name (``text number boolean time list``);
    what is not declared is not checked.
    """

    name: str = "default"
    zone: str = "UTC"
    slack: int = 0
    channels: tuple[Channel, ...] = ()
    topics: tuple[Topic, ...] = ()
    caps: tuple[Cap, ...] = ()
    quiet_hours: Window | None = None
    events: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    traits: tuple[tuple[str, str], ...] = ()
    audiences: tuple[Audience, ...] = ()
    agents: tuple[Agent, ...] = ()
    numbers: tuple[Number, ...] = ()
    groups: tuple[Group, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    connections: tuple[Connection, ...] = ()
    destinations: tuple[Destination, ...] = ()
