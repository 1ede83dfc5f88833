"""Control logs that are read when a test says so."""

from __future__ import annotations

from transforms.hosting import catalogs
from transforms.hosting.catalogs import FollowedLogs, Known


def refreshed(logs: FollowedLogs, space: str) -> Known:
    """Have this process read a space's log now; return its catalog."""
    follower = catalogs._FOLLOWED._follower(space, logs._addresses[space], logs._every)
    follower.refresh()
    return logs.of(space)
