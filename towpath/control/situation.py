"""What a command finds: the log, what holds at an instant, and how many sessions there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from towpath.control.sessions import Sessions
from transforms.flows.catalog.applied_log import EVER, AppliedLog, no_records
from transforms.flows.catalog.control_log import InvalidLog, refuse_shared_keywords
from transforms.flows.catalog.epochs import Catalog, Epoch, FlowView
from transforms.flows.clock.zones import find_zone, local
from transforms.flows.diagnostics import Problem
from transforms.flows.protocol.control_records import ControlRecord

Counts = Mapping[tuple[int, str], int]
"""Live sessions by version and step."""


class Refused(Exception):
    """The log would refuse a change, or the change would do nothing; ``problems`` say where."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class Situation:
    """The log as a command sees it at the instant at which its records take effect."""

    def __init__(
        self,
        records: Sequence[ControlRecord],
        at: int,
        sessions: Sessions | None = None,
        said: Mapping[str, Any] | None = None,
        zone: str = "UTC",
    ) -> None:
        """``said`` are the fields that say who made the records, when and why.

        ``zone`` is the zone of the space that an empty log is about to have.
        """
        self.records = tuple(records)
        self.at = at
        self._sessions = sessions
        self._said = dict(said or {})
        self._zone = zone

    @cached_property
    def _log(self) -> AppliedLog:
        try:
            return no_records().extended(self.records, EVER)
        except InvalidLog as error:
            raise Refused(f"the control log is not valid: {error}", error.problems) from None

    @property
    def catalog(self) -> Catalog:
        """Return the catalog of the log. Raises Refused if the log is not valid."""
        return self._log.catalog

    @property
    def epoch(self) -> Epoch:
        return self.catalog.at(self.at)

    @property
    def zone(self) -> ZoneInfo:
        return find_zone(self.epoch.space.zone if self.records else self._zone)

    def moved_to(self, at: int) -> Situation:
        """Return the same situation at another instant."""
        found = Situation(self.records, at, self._sessions, self._said, self._zone)
        found.__dict__["_log"] = self._log
        return found

    def head(self, offset: int = 0) -> dict[str, Any]:
        """Return the fields that every record has, for the first new record or a later one."""
        last = self.records[-1].sequence if self.records else -1
        return {"sequence": last + 1 + offset, "effective_at": self.at, **self._said}

    def flow(self, name: str) -> FlowView:
        """Return a flow as it is at the instant. Raises Refused for one that is not published."""
        found = self.epoch.by_id.get(name)
        if found is None:
            near = get_close_matches(name, self.epoch.by_id, n=1)
            hint = f'did you mean "{near[0]}"?' if near else "towpath flows list shows all flows"
            raise Refused(f'the flow "{name}" is not published; {hint}')
        return found

    def sessions_of(self, flow: str) -> Counts | None:
        """Count the live sessions of a flow; None if there is no index of sessions."""
        return None if self._sessions is None else self._sessions.sessions_of(flow)

    def with_records(self, new: Sequence[ControlRecord]) -> Catalog:
        """Return the catalog with new records. Raises Refused if they cannot be followed."""
        try:
            after = self._log.extended(new, EVER).catalog
            refuse_shared_keywords(after)
        except InvalidLog as error:
            raise Refused(str(error), error.problems) from None
        return after

    def show(self, instant: int) -> str:
        """Return an instant as text in the zone of the space."""
        return shown(instant, self.zone)


def shown(instant: int, zone: ZoneInfo) -> str:
    """Return an instant as text in a zone, with the zone's name."""
    wall = local(instant, zone)
    fraction = f".{wall.microsecond // 1000:03}" if wall.microsecond else ""
    return f"{wall:%Y-%m-%d %H:%M:%S}{fraction} {zone.key}"
