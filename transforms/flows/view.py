"""What an expression may read: one user, at one instant.

Times are whole milliseconds since 1970 in UTC, everywhere in the core.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from transforms.flows.state import Series

Data = dict[str, Any]


class FlowFacts(msgspec.Struct, frozen=True, gc=False):
    """Where the user stands in a flow: what ``flow.<id>.in / step / times`` read."""

    inside: bool
    step: str | None
    times: int


class View(msgspec.Struct):  # seen by the collector: it and its run hold each other
    """The values behind the names of the expression language.

    ``now`` is the handling time in ms. ``event`` is None where no event is at
    hand. ``audiences`` maps a name to the instant since when the user is a member.
    ``communications`` maps a send step's name to the facts of its newest
    communication (``status``, ``channel``, ``sent_at`` and what results report).
    ``item`` is the list item at hand inside ``any(...)`` and ``all(...)``.
    ``mismatches`` counts comparisons of values whose types do not fit (R17).
    """

    now: int
    zone: ZoneInfo
    traits: Data
    tags: Collection[str]
    audiences: Mapping[str, int]
    series: Mapping[str, Series]
    flows: Callable[[str], FlowFacts]
    event: Data | None = None
    event_name: str = ""
    event_time: int = 0
    entry: Data = {}
    variables: Data = {}
    participant: Data = {}
    communications: Mapping[str, Data] = {}
    communication: Data | None = None
    session_id: str = ""
    session_started: int = 0
    mismatches: int = 0
    item: Any = None
