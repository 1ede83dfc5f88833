"""The forms that values have in a file: descriptions only, which ``shapes`` puts together.

The reader, the formatter, the JSON Schema, the pictures and the compiler each have one table over
the forms, so a new step or trigger changes none of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeVar

import msgspec

from transforms.flows.expressions.scope import AtHand, Wants

T = TypeVar("T")

IN_VISIT = re.compile(r"\s+in\s+visit\s*$")
"""What ends the text of a wait that lasts as long as the user's visit."""

MAX_DAYS = 400
"""The longest that a session waits for anything."""


class Form(msgspec.Struct, frozen=True, gc=False):
    """Base of all forms. If a table has no entry for a form, the entry of its base class is used."""


def entry_for(table: Mapping[type[Form], T], form: Form) -> T:
    """Return the entry of a table over the forms: for the class of a form, else for a base of it."""
    return next(table[kind] for kind in type(form).__mro__ if kind in table)


# --- texts, numbers, choices ---------------------------------------------------------------


class Text(Form, frozen=True, gc=False):
    """A text that is not empty."""


class Name(Text, frozen=True, gc=False):
    """A name of small letters, digits and ``_``; ``what`` it names, as in "a reason"."""

    what: str


class Whole(Form, frozen=True, gc=False):
    """A whole number of at least ``least``; ``code`` is the problem of a smaller one."""

    least: int | None = None
    code: str = "wrong-kind"


class Percent(Form, frozen=True, gc=False):
    """A whole percentage such as ``10%``."""


class Flag(Form, frozen=True, gc=False):
    """``true`` or ``false``; ``false`` is left out."""


class Mark(Form, frozen=True, gc=False):
    """``true``, which only says that the thing is there."""


class Word(Form, frozen=True, gc=False):
    """One fixed word; the value is whether it is there."""

    word: str


class Choice(Form, frozen=True, gc=False):
    """One of several words."""

    options: tuple[str, ...]


# --- times ---------------------------------------------------------------------------------


class Delay(Form, frozen=True, gc=False):
    """A duration of at most ``most`` days."""

    most: int | None = MAX_DAYS


class VisitDelay(Form, frozen=True, gc=False):
    """A fixed length of time in a visit: ``20s in visit``."""


class Moment(Form, frozen=True, gc=False):
    """A moment, such as ``mon 09:00`` or ``user.birthday - 3d``."""


class Window(Form, frozen=True, gc=False):
    """Days and hours."""


class Instant(Form, frozen=True, gc=False):
    """A local date, or date and time."""


class Zone(Text, frozen=True, gc=False):
    """The name of a time zone."""


class Limit(Form, frozen=True, gc=False):
    """A limit such as ``2 per 7d``."""


# --- expressions ---------------------------------------------------------------------------


class Expression(Form, frozen=True, gc=False):
    """An expression.

    ``roots`` are all that it may read besides the user; None: what the section of the file allows.
    ``event``: it may also read the event at the key ``event`` of the same map.
    """

    wants: Wants = "value"
    roots: tuple[AtHand, ...] | None = None
    event: bool = False


class Condition(Expression, frozen=True, gc=False):
    """An expression that is true or false; ``watched``: sessions react when it becomes true."""

    wants: Wants = "condition"
    watched: bool = False


class Named(Form, frozen=True, gc=False):
    """Names with expressions."""


class Properties(Named, frozen=True, gc=False):
    """The properties of the event that the key ``event`` names."""

    event: str


class Targets(Named, frozen=True, gc=False):
    """What an update changes, with expressions: traits, participant fields, session variables."""

    wants: Wants = "value"


# --- names ---------------------------------------------------------------------------------


class StepName(Form, frozen=True, gc=False):
    """The step where a session goes on: a port of its step.

    If it is left out, the port leads to the next step of the file if it ``falls``, to the end of
    the session if it ``ends``, and otherwise does not exist. ``label`` is the text of its arrow in
    pictures; it may name fields of the step.
    """

    falls: bool = False
    ends: bool = False
    label: str = ""


class ReasonStep(StepName, frozen=True, gc=False):
    """A port for one reason; the field holds pairs of reasons and steps."""


class SendStep(Form, frozen=True, gc=False):
    """The name of a step that sends a message."""


Kind = Literal[
    "channel", "topic", "number", "connection", "destination", "audience", "group", "campaign"
]


class Listed(Text, frozen=True, gc=False):
    """A name that the space declares."""

    kind: Kind


class StaticAudience(Listed, frozen=True, gc=False):
    """An audience of the space that is not computed."""

    kind: Kind = "audience"


class Number(Listed, frozen=True, gc=False, kw_only=True):
    """A number of the space that takes messages or calls, in the channel beside it if there is one."""

    takes: Literal["messages", "calls"]
    kind: Kind = "number"


class FlowName(Text, frozen=True, gc=False):
    """The name of another flow."""


class EventName(Text, frozen=True, gc=False):
    """The name of an event."""


class Trait(Text, frozen=True, gc=False):
    """The name of a trait, without ``user.``."""


class ParticipantField(Text, frozen=True, gc=False):
    """The name of a field of the flow's participants."""


class ParticipantChange(Choice, frozen=True, gc=False):
    """What happened to a participant; only flows of a campaign have any."""


class TemplateName(Text, frozen=True, gc=False):
    """The name of a template; ``data`` is the struct's field with its values."""

    data: str = "data"


# --- lists and forms of single steps -------------------------------------------------------


class ListOf(Form, frozen=True, gc=False):
    """A list of values of one form; ``empty`` says what is wrong with an empty one, if anything."""

    of: Form
    empty: str = ""


class OneOrMore(ListOf, frozen=True, gc=False):
    """One value, or a list of them."""


class TargetNames(ListOf, frozen=True, gc=False):
    """What an update removes."""

    of: Form = Text()


class Tracked(Form, frozen=True, gc=False):
    """What is tracked of a message by the channels at the keys ``channel`` and ``failover``."""

    options: tuple[str, ...]
    channel: str = "send"
    failover: str = "failover"


class Keywords(Form, frozen=True, gc=False):
    """A keyword, a list of them, or ``any``."""


class Agents(Form, frozen=True, gc=False):
    """Who sends: an agent for each of the channels at the keys ``channel`` and ``failover``."""

    channel: str = "send"
    failover: str = "failover"


class Address(Text, frozen=True, gc=False):
    """An https address, or with a connection beside it a path; ``hint`` says how to write it."""

    hint: str = "write an https:// address, or name a connection"


class Headers(Form, frozen=True, gc=False):
    """Headers of a request by name; with ``secrets``, those that hold secrets refer to them."""

    secrets: bool = False


class Stored(Form, frozen=True, gc=False):
    """Names with paths in the JSON of an answer."""


class Code(Text, frozen=True, gc=False):
    """Python with a function ``run``, which takes the values at the key ``inputs`` by name."""

    inputs: str


class Shares(Form, frozen=True, gc=False):
    """The branches of a split with their shares; ``routes`` is the key of their steps."""

    routes: str


class Routes(Form, frozen=True, gc=False):
    """The steps of the branches of a split, by branch."""
