"""Limits of entries, and whether a user may enter again."""

from __future__ import annotations

from transforms.flows.clock.delays import Delay, Period
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Record, Shape
from transforms.flows.definitions.values import Value


class Limit(Value, frozen=True, gc=False, tag="limit"):
    """At most ``most`` within each ``per`` (I15, R2)."""

    most: int
    per: Period


class Reenter(Value, frozen=True, gc=False, tag="reenter"):
    """Whether and when a user may enter again (I13-I15, I17)."""

    allowed: bool = True
    after: Delay | None = None
    limits: tuple[Limit, ...] = ()


class OrNever(Record, frozen=True):
    """``never``, or a map."""


REENTER = Shape(
    struct=Reenter,
    fields=(
        Field(
            "after",
            forms.Delay(most=None),
            "How long after the last exit (of the same key) the user stays out.",
        ),
        Field(
            "limit",
            forms.ListOf(forms.Limit()),
            "At most so many entries of the user (of all keys) in each period.",
            "limits",
        ),
    ),
    about="Whether and when a user may enter again.",
)


def reenter(text: str) -> Field:
    """Return the key ``reenter`` of a flow or a trigger."""
    return Field("reenter", OrNever(REENTER, "reenter"), text)


AGAIN = reenter("In place of the flow's own `reenter`.")
"""The key ``reenter`` of every trigger."""
