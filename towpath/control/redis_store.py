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
        read = self._log.read_since(None)
        token = str(read.records[-1].sequence) if read.records else ""
        return Held(read.records, read.complete_until, token)

    def append(self, held: Held, records: Sequence[ControlRecord]) -> Held:
        refuse(held, records, held.complete_until)
        after = held.next_sequence - 1 if held.records else None
        match self._log.append(after, records):
            case "conflict":
                raise Conflict(f"{self._log.name} has other records by now")
            case "late":
                until = self.read().complete_until
                refuse(held, records, until)
                raise Late(f"{self._log.name} is complete until {until}")
            case _:
                return self.read()

    def complete(self, held: Held, until: int) -> Held:
        if until <= held.complete_until:
            return held
        if self._log.complete(held.complete_until, until) == "conflict":
            raise Conflict(f"{self._log.name} has another instant of completeness by now")
        return self.read()
