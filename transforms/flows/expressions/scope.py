"""Which names an expression may use, and their declared types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

Types = Mapping[str, str]
"""Names with their types (text, number, boolean, date, list, map); nested names as ``a.b``.

Any other type means that the type is not known.
"""

AtHand = Literal["event", "entry", "session", "participant", "communication", "message"]

Wants = Literal["condition", "value", "number", "text", "date"]
"""What is expected of an expression."""


class Scope(msgspec.Struct, frozen=True, gc=False):
    """The names that an expression may use; None means that nothing is declared.

    ``at_hand`` lists the roots that have data. ``event_names`` are the possible names of the
    event, ``events`` the declared events with their properties. ``steps`` are the send steps of the
    flow, ``statuses`` those of a participant, ``consents`` the channels and topics. ``message`` None:
    a message from the user.
    """

    at_hand: frozenset[AtHand] = frozenset(get_args(AtHand))
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
    consents: frozenset[str] | None = None
    message: Types | None = None
