"""Limits of entries, and whether a user may enter again."""

from __future__ import annotations

from transforms.flows.clock.delays import Delay, Period
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
