"""What a condition is once compiled, and what it reads: one user, at one instant.

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
    """The place of the user in a flow: what ``flow.<id>.in / step / times`` read."""

    inside: bool
    step: str | None
    times: int


@final
class View:
    """The values of the names in the expression language.

    ``now`` is the handling time in ms. ``event`` is None where there is no event.
    ``audiences`` maps a name to the instant at which the user joined. ``consents`` tells whether
    the user may be sent messages of a channel, a topic, or ``channel:topic``.
    ``communications`` maps a send step to the data of its newest communication (``status``,
    ``channel``, ``sent_at`` and the data of delivery reports).
    ``message`` is the last message from the user to the session, or in an aggregate the counted
    message to the user, ``presence`` the visits of the
    user, ``item`` the current item inside ``any(...)`` and ``all(...)``.
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
        consents: Callable[[str], bool],
    ) -> None:
        self.now: int = 0
        self.zone = zone
        self.traits = traits
        self.tags = tags
        self.audiences = audiences
        self.series = series
        self.flows = flows
        self.consents = consents
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

    ``test(view)`` is its result. ``change`` computes when time alone changes it; None: never.
    """

    test: Callable[[View], bool]
    change: Callable[[View], int | None] | None = None

    @property
    def timed(self) -> bool:
        """True if time alone can change the result."""
        return self.change is not None

    def next_change(self, view: View) -> int | None:
        """Return the next instant after ``view.now`` at which time alone can change the result.

        It may be too early, never too late (R18).
        """
        if self.change is None:
            return None
        counted = view.mismatches
        t = self.change(view)
        view.mismatches = counted  # only ``test`` counts mismatches
        return t
