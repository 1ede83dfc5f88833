"""A control log in Redis: scripts append and complete it atomically."""

from __future__ import annotations

from collections.abc import Sequence

from towpath.control.store import Conflict, Held, Late, refuse
from transforms.flows.protocol.control_records import ControlRecord
from transforms.sources.control_log.redis import open_log


class RedisStore:
    """A log in a stream of Redis."""

    def __init__(self, address: str) -> None:
        self._log = open_log(address)

    def read(self) -> Held:
        return self._grown(Held())

    def append(self, held: Held, records: Sequence[ControlRecord]) -> Held:
        refuse(held, records, held.complete_until)
        after = held.records[-1].sequence if held.records else None
        match self._log.append(after, records):
            case "conflict":
                raise Conflict(f"{self._log.name} has other records by now")
            case "late":
                until = self.read().complete_until
                refuse(held, records, until)
                raise Late(f"{self._log.name} is complete until {until}")
            case _:
                return self._grown(held)

    def complete(self, held: Held, until: int) -> Held:
        if until <= held.complete_until:
            return held
        if self._log.complete(held.complete_until, until) == "conflict":
            raise Conflict(f"{self._log.name} has another instant of completeness by now")
        return self._grown(held)

    def _grown(self, held: Held) -> Held:
        """Return the log with what has come since it was read."""
        read = self._log.read_since(held.records[-1].sequence if held.records else None)
        records = (*held.records, *read.records)
        return Held(records, read.complete_until, str(records[-1].sequence) if records else "")
