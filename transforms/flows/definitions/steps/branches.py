"""Steps that choose where a session goes on: by conditions, by words, at random."""

from __future__ import annotations

from transforms.flows.definitions.values import Value
from transforms.flows.expressions.syntax.ast import Expr


class IfCase(Value, frozen=True, gc=False, tag="if_case"):
    """One branch of an ``if``."""

    when: Expr
    then: str | None = None


class If(Value, frozen=True, gc=False, tag="if"):
    """Take the first case that is true, else the other branch (C14, L5)."""

    cases: tuple[IfCase, ...]
    otherwise: str | None = None


class Keywords(Value, frozen=True, gc=False, tag="keywords"):
    """One branch of a ``match_message``: its keywords, or none for any words."""

    keywords: tuple[str, ...] = ()
    then: str | None = None


class MatchMessage(Value, frozen=True, gc=False, tag="match_message"):
    """Branch by the words of the user's last message to this session, exact before any (I7)."""

    cases: tuple[Keywords, ...]
    otherwise: str | None = None


class Branch(Value, frozen=True, gc=False, tag="branch"):
    """One branch of a split: whole percent; a holdout is counted and gets nothing.

    ``rest`` takes no part in the test, so it cannot win (I28).
    """

    name: str
    percent: int
    holdout: bool = False
    then: str | None = None
    rest: bool = False


class Winning(Value, frozen=True, gc=False, tag="winning"):
    """What decides the best branch of a split (I28): a goal, or ``opened``, ``clicked``, ``replied``.

    The controller judges it over all users, once each branch has had ``minimum`` of them, and
    writes the winner to the control log when it is ``confidence`` percent sure.
    """

    metric: str
    minimum: int = 100
    confidence: int = 95


class Split(Value, frozen=True, gc=False, tag="split"):
    """Split by hash, sticky over re-entries unless ``redraw`` (I11, J10)."""

    branches: tuple[Branch, ...]
    redraw: bool = False
    winner: Winning | None = None


Branches = If | MatchMessage | Split
