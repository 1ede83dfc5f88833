"""What became of a signal or an alarm that a host handed to the core.

These are structs, so they are apart from the compiled module ``run``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import msgspec

from transforms.flows.protocol.outputs import AnyOutput, DeadLetter


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What a step decided: the new state, the outputs, and the next alarm.

    ``encoded`` has the outputs as the host encodes them, in the same order. A state of None is
    deleted, an alarm of None cleared. ``failed`` counts the signals that became dead letters among
    the outputs, ``early`` those that were handled before their turn, because the buffer was full,
    and ``held`` those that wait for the control log, an alarm included. ``received`` is the earliest
    ingestion time of the signals that were handled.
    """

    state: bytes | None
    outputs: Sequence[AnyOutput]
    encoded: list[bytes]
    alarm: int | None
    failed: int = 0
    early: int = 0
    held: int = 0
    received: int | None = None


@final
class Failed(msgspec.Struct, frozen=True, gc=False):
    """A signal or an alarm that could not be handled: the user's state and alarm stay as they are.

    An alarm that fails is over, so nothing is retried forever. The next signal that can be
    handled sets it again. A repaired signal may be sent again, since its id was not remembered.
    """

    letter: DeadLetter
