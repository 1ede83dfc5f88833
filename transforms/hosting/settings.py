"""How a host runs the core; a struct, apart from the compiled module ``run``."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from transforms.flows.catalog.epochs import NEVER


def system_clock() -> int:
    """Read the machine's clock, ms since 1970."""
    return time.time_ns() // 1_000_000


class Settings(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How the host behaves; what flows mean does not depend on it.

    ``until``: no alarm is set later, and what is due after it stays pending (R3). ``ahead``: an
    alarm that fires more than this many ms before its time by ``clock`` is refused: the runner is
    draining. While the control log is behind, signals are held in the state of their user, so that
    other spaces go on; ``loose`` goes on with the log as it is instead.
    """

    until: int = NEVER
    ahead: int = 10_000
    loose: bool = False
    clock: Callable[[], int] = system_clock
