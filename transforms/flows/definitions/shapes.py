"""The shape of a struct in a file: its keys, each with the form of its value and what it means.

Steps, triggers, cases and all other maps of a flow's file are described by shapes. A shape holds
only facts about its step or trigger; how a form is read, written, shown and compiled is defined in
the tools that do so. Tables of shapes are laid out by hand, so that a key takes few lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from transforms.flows.definitions.forms import Form

Texts = Mapping[str, str]


class Field(msgspec.Struct, frozen=True, gc=False):
    """One key of a map: the form of its value, and what it means, in one sentence.

    ``name`` is the field of the struct if that has another name; ``""``: the struct does not hold
    it. ``needed``: the key is mandatory. ``default`` is the value of a key that is left out, if the
    struct has no default. ``shown`` is the text in pictures, ``{}`` the value; without it, or where
    the value is the default, pictures do not show it.
    """

    key: str
    form: Form
    text: str = ""
    name: str | None = None
    needed: bool = False
    default: Any = None
    shown: str = ""

    @property
    def attribute(self) -> str:
        """The name of the struct's field."""
        return self.key if self.name is None else self.name


class Flaw(msgspec.Struct, frozen=True, gc=False):
    """What a check finds: the keys and indexes that lead to the place, a code, a message and help.

    The place is the value of the last key, or with ``at_key`` the key itself; without keys it is
    the beginning of the map.
    """

    keys: tuple[str | int, ...]
    code: str
    message: str
    help: str = ""
    at_key: bool = False
    severity: Literal["error", "warning"] = "error"


Check = Callable[[Any], Iterable[Flaw]]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A struct as a map of a file.

    ``fixed`` are values that the shape implies: shapes of the same struct differ in them.
    ``checks`` see a struct that was read without problems. ``build`` and ``take`` make the struct
    of the values of its fields and back, where these are not simply the struct's own fields.
    ``about`` and ``example`` are for the reference.
    """

    struct: type[Any]
    fields: tuple[Field, ...]
    fixed: tuple[tuple[str, Any], ...] = ()
    checks: tuple[Check, ...] = ()
    build: Callable[[dict[str, Any]], Any] | None = None
    take: Callable[[Any], dict[str, Any]] | None = None
    about: str = ""
    example: str = ""

    def holds(self, value: object) -> bool:
        """Return whether a value has this shape."""
        return type(value) is self.struct and all(getattr(value, k) == v for k, v in self.fixed)

    def values(self, value: Any) -> dict[str, Any]:
        """Return the values of a struct by the names of its fields."""
        if self.take is not None:
            return self.take(value)
        return {name: getattr(value, name) for name in self.struct.__struct_fields__}

    def make(self, values: Mapping[str, Any]) -> Any:
        """Make the struct; a value that is None takes the struct's default."""
        given = dict(self.fixed) | {name: v for name, v in values.items() if v is not None}
        return self.struct(**given) if self.build is None else self.build(given)


class Variant(Shape, frozen=True, kw_only=True):
    """A shape that is one of several, recognised by its key.

    ``leads`` are the keys any of which makes it, by default the first of its fields. Where
    several variants have the same, ``chosen`` looks at the scalar values of the map. ``details``
    are the lines that pictures show of it, by default what its fields show.
    """

    leads: tuple[str, ...] = ()
    chosen: Callable[[Texts], bool] | None = None
    details: Callable[[Any], Iterable[str]] | None = None

    def __post_init__(self) -> None:
        if not self.leads:
            msgspec.structs.force_setattr(self, "leads", (self.fields[0].key,))


class CaseKind(Variant, frozen=True, kw_only=True):
    """A case of a wait.

    ``level``: it may be true already when the wait begins. ``repeats``: without ``then`` it may
    start the time-out of its wait again.
    """

    level: bool = False
    repeats: bool = False


class TriggerKind(Variant, frozen=True, kw_only=True):
    """A trigger; ``title`` is what pictures call it, made of the texts of its fields.

    ``entry`` is what the session reads as ``entry.``: the properties of the event, what the user
    sent, or data of which nothing is known.
    """

    title: str | Callable[[Any], str] = ""
    entry: Literal["event", "message", ""] = ""


class StepKind(Variant, frozen=True, kw_only=True):
    """A step.

    ``box`` is its box in pictures, ``caption`` what stands on it, made of the texts of its fields.

    ``goes_on``: a step has ``then`` and else goes on with the next step of the file, or it has only
    its own ports, or it ends the session. ``waits``: a session may stay in it, so it cannot run
    when a session has ended. ``at_once`` gives where a step that waits may go on in the instant
    in which it is reached; by default nowhere. ``stays`` returns whether a case without ``then``
    leaves the session where it is. ``answers``: its result is ``session.STEP``.
    """

    box: Literal["wait", "decide", "send", "effect", "end"]
    caption: str
    goes_on: Literal["then", "ports", "ends"] = "then"
    waits: bool = False
    at_once: Callable[[Any, str | None], Iterable[str | None]] | None = None
    stays: Callable[[Any, Any], bool] | None = None
    answers: bool = False


# --- forms that hold shapes ------------------------------------------------------------------


class Inline(Form, frozen=True):
    """A struct whose keys are among those of the map around it."""

    shape: Shape


class Record(Form, frozen=True):
    """A struct that is a map of its own; ``what`` problems call it."""

    shape: Shape
    what: str


class Nested(Form, frozen=True):
    """Fields of the struct around it that are written in a map of their own."""

    fields: tuple[Field, ...]


class Cases(Form, frozen=True):
    """A list of structs; with several kinds, each case is recognised by its key.

    ``awaited``: the step waits for them, so their order is that of all that is compiled of them.
    """

    kinds: tuple[CaseKind, ...]
    empty: str
    awaited: bool = False


class Records(Form, frozen=True):
    """A list of at least so many structs of one shape."""

    shape: Shape
    what: str
    least: int = 1


class Variants(Form, frozen=True):
    """A list of triggers, or of exit rules, each recognised by its key."""

    kinds: tuple[Variant, ...]


class RecordsByName(Form, frozen=True):
    """A map of names with structs that hold their name; ``what`` each is, as in "a goal".

    With several kinds, which are variants, each is recognised by its key.
    """

    kinds: tuple[Shape, ...]
    what: str


K = TypeVar("K", bound=Variant)


def kind_of(kinds: Iterable[K], value: object) -> K:
    """Return the variant that a value has."""
    return next(kind for kind in kinds if kind.holds(value))


def defaults_of(struct: type[Any]) -> Mapping[str, Any]:
    """Return the defaults of a struct's fields, None for a field without one."""
    return {
        field.name: None if field.default is msgspec.NODEFAULT else field.default
        for field in msgspec.structs.fields(struct)
    }


def leaves(fields: Iterable[Field], values: Mapping[str, Any]) -> Iterator[tuple[Field, Any]]:
    """Yield every field that has a value, also those of the structs within, with the value."""
    for field in fields:
        value = values.get(field.attribute)
        match field.form:
            case Nested(fields=inner):
                yield from leaves(inner, values)
            case Inline(shape=shape) | Record(shape=shape) if value is not None:
                yield from leaves(shape.fields, shape.values(value))
            case Records(shape=shape):
                for item in value or ():
                    yield from leaves(shape.fields, shape.values(item))
            case Cases(kinds=kinds):
                for item in value or ():
                    kind = kind_of(kinds, item)
                    yield from leaves(kind.fields, kind.values(item))
            case _ if value is not None:
                yield field, value
            case _:
                pass
