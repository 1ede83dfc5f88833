"""What an expression may read: one user, at one instant.

Times are whole milliseconds since 1970 in UTC, everywhere in the core.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, final
from zoneinfo import ZoneInfo

from transforms.flows.state.stored import Presence, Series

Data = dict[str, Any]


@final
@dataclass(frozen=True)
class FlowFacts:
    """Where the user stands in a flow: what ``flow.<id>.in / step / times`` read."""

    inside: bool
    step: str | None
    times: int


@final
class View:
    """The values behind the names of the expression language.

    ``now`` is the handling time in ms. ``event`` is None where no event is at
    hand. ``audiences`` maps a name to the instant since when the user is a member.
    ``communications`` maps a send step's name to the facts of its newest
    communication (``status``, ``channel``, ``sent_at`` and what results report).
    ``message`` is what the user sent last to the session, or sends now, ``presence`` what is
    known of the user's visits.
    ``item`` is the list item at hand inside ``any(...)`` and ``all(...)``.
    ``mismatches`` counts comparisons of values whose types do not fit (R17).
    """

    def __init__(
        self,
        zone: ZoneInfo,
        traits: Data,
        tags: Collection[str],
        audiences: dict[str, int],
        series: dict[str, Series],
        flows: Callable[[str], FlowFacts],
    ) -> None:
        self.now: int = 0
        self.zone = zone
        self.traits = traits
        self.tags = tags
        self.audiences = audiences
        self.series = series
        self.flows = flows
        self.event: Data | None = None
        self.event_name: str = ""
        self.event_time: int = 0
        self.entry: Data = {}
        self.variables: Data = {}
        self.participant: Data = {}
        self.communications: Data = {}
        self.communication: Data | None = None
        self.message: Data = {}
        self.session_id: str = ""
        self.session_started: int = 0
        self.mismatches: int = 0
        self.item: Any = None
        self.presence: Presence | None = None


@final
@dataclass(frozen=True)
class Condition:
    """A compiled condition.

    ``test(view)`` is its result; ``timed`` tells whether time alone can change that, and
    ``next_change(view)`` is the next instant later than ``view.now`` at which it could, while the
    data stays as it is: never too late (R18).
    """

    test: Callable[[View], bool]
    timed: bool
    next_change: Callable[[View], int | None]
