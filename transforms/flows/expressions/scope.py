"""What the names of an expression may be, at the place where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Wants = Literal["condition", "value", "number", "text", "date"]

Types = Mapping[str, str]
"""Names with their types (text, number, boolean, date, list, map); deeper ones as ``a.b``.

Any other type means that nothing is known.
"""

AtHand = Literal["event", "entry", "session", "participant", "communication", "message"]


class Scope(msgspec.Struct, frozen=True, gc=False):
    """What is at hand and what is declared; None means that nothing is declared.

    ``event_names`` are the events that may be at hand, ``events`` the declared ones with their
    properties. ``steps`` are the flow's send steps, ``statuses`` those that a
    participant may have.
    """

    at_hand: frozenset[AtHand] = frozenset(
        ("event", "entry", "session", "participant", "communication", "message")
    )
    event_names: tuple[str, ...] = ()
    events: Mapping[str, Types] = {}
    entry: Types | None = None
    traits: Types | None = None
    participant: Types | None = None
    variables: Types | None = None
    audiences: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    steps: frozenset[str] | None = None
    flows: frozenset[str] | None = None
    statuses: frozenset[str] | None = None
