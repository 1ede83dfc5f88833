"""Control logs in memory that grow."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tests.kit.reminders import SPACE
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol import control_records
from transforms.flows.protocol.control_records import ControlRecord
from transforms.hosting.catalogs import Known, known


class GrowingLogs:
    """Control logs whose completeness a test sets: by space, until an instant."""

    def __init__(
        self, lines: tuple[bytes, ...], until: int, spaces: Iterable[str] = (SPACE,)
    ) -> None:
        self.records: list[ControlRecord] = list(map(control_records.decode_line, lines))
        self.until = dict.fromkeys(spaces, until)
        self._built: dict[tuple[int, int], Known] = {}

    @property
    def spaces(self) -> frozenset[str]:
        return frozenset(self.until)

    def of(self, space: str) -> Known:
        number, until = len(self.records), self.until[space]
        if (number, NEVER) not in self._built:
            self._built[number, NEVER] = known(catalog_of(self.records))
        if (number, until) not in self._built:
            whole = self._built[number, NEVER]
            cut = msgspec.structs.replace(whole, catalog=whole.catalog.complete(until))
            self._built[number, until] = cut
        return self._built[number, until]
