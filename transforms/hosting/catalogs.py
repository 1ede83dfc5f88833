"""The catalogs of a worker: one per space, shared by all threads of a process.

A pickled job holds the logs' addresses; followers are made on the worker.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

import msgspec

from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.protocol import control_records
from transforms.hosting.control_follower import EVERY, ControlFollower
from transforms.hosting.sandbox import require
from transforms.sources.control_log.log import log_of
from transforms.wire.secrets import address_of


class Known(msgspec.Struct, frozen=True, gc=False):
    """A catalog, and the longest slack of its epochs: alarms wait that long, so none is early.

    ``trouble`` is the error of the last read of the log, None if it succeeded. ``on_arrival``: at no
    time signals wait for their turn. ``sequence`` is that of the newest record, None before the first.
    """

    catalog: Catalog
    slack: int
    trouble: str | None = None
    on_arrival: bool = False
    sequence: int | None = None


class Catalogs(Protocol):
    """Finds the catalog of each space. It can be pickled."""

    @property
    def spaces(self) -> frozenset[str]:
        """Return the names of the spaces."""

    def of(self, space: str) -> Known:
        """Return a space's catalog without waiting; KeyError for an unknown space."""


def known(catalog: Catalog, trouble: str | None = None, sequence: int | None = None) -> Known:
    """Compute the longest slack of a catalog. Raises MissingSandbox for code that cannot run here."""
    require(catalog)
    slack = max(epoch.space.slack for epoch in catalog.epochs)
    waiting = (e for e in catalog.epochs if e.space.slack and e.space.arrival is not True)
    return Known(catalog, slack, trouble, next(waiting, None) is None, sequence)


class FixedLogs:
    """Control logs that never grow: one line of JSON per record, by space."""

    def __init__(self, logs: Mapping[str, tuple[bytes, ...]]) -> None:
        self._logs = dict(logs)
        self._known: dict[str, Known] = {}

    def __getstate__(self) -> dict[str, object]:
        return {"_logs": self._logs, "_known": {}}

    @property
    def spaces(self) -> frozenset[str]:
        return frozenset(self._logs)

    def of(self, space: str) -> Known:
        found = self._known.get(space)
        if found is None:
            found = self._known[space] = read_once(self._logs[space])
        return found


@lru_cache(maxsize=256)
def read_once(log: tuple[bytes, ...]) -> Known:
    """Read a control log, once in a process."""
    return known(catalog_of([control_records.decode_line(line) for line in log]))


class FollowedLogs:
    """Control logs that grow, by space: addresses of files, objects or Redis streams, or env:NAME.

    A daemon thread follows each of them.
    """

    def __init__(self, addresses: Mapping[str, str], every: float = EVERY) -> None:
        self._addresses = dict(addresses)
        self._every = every

    @property
    def spaces(self) -> frozenset[str]:
        return frozenset(self._addresses)

    def of(self, space: str) -> Known:
        return _FOLLOWED.of(space, self._addresses[space], self._every)


class _Followed:
    """The followers of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followers: dict[str, ControlFollower] = {}
        self._known: dict[str, Known] = {}

    def of(self, space: str, address: str, every: float) -> Known:
        follower = self._follower(space, address, every)
        catalog, trouble, sequence = follower.catalog, follower.trouble, follower.sequence
        found = self._known.get(address)
        if found is None or found.catalog is not catalog or found.trouble != trouble:
            found = self._known[address] = known(catalog, trouble, sequence)
        return found

    def _follower(self, space: str, address: str, every: float) -> ControlFollower:
        found = self._followers.get(address)
        if found is not None:
            return found
        with self._lock:
            if address not in self._followers:
                follower = ControlFollower(log_of(address_of(address)), every, space)
                follower.start()
                self._followers[address] = follower
            return self._followers[address]


_FOLLOWED = _Followed()
