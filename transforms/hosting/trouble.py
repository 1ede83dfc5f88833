"""One JSON line for each trouble of a worker, without personal data.

Callers give no ids of users or signals and no contents of records: dead letters have these. The same
trouble is logged at most once a minute, with the number of times since the last line.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import msgspec

LOG = logging.getLogger("towpath.trouble")
PACE = 60.0
MOST = 1_000


class _Seen(msgspec.Struct):
    logged: float
    times: int = 0


_SEEN: dict[tuple[str, ...], _Seen] = {}


def report(
    trouble: str, *, space: str, detail: str = "", now: Callable[[], float] = time.monotonic
) -> None:
    """Log a trouble of a space, unless it was logged less than a minute ago."""
    key, at = (trouble, space, detail), now()
    seen = _SEEN.get(key)
    if seen is not None and at - seen.logged < PACE:
        seen.times += 1
        return
    if len(_SEEN) >= MOST:
        _SEEN.clear()
    times = 1 if seen is None else seen.times + 1
    _SEEN[key] = _Seen(at)
    line = {"trouble": trouble, "space": space, "detail": detail, "times": times}
    LOG.warning(msgspec.json.encode(line).decode())
