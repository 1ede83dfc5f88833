"""What Flink keeps of a user: the time of the alarm, then the state of the core.

Flink's timers cannot be replaced, only deleted by their time, so that time is kept beside the state. The
complement of a time is that of an alarm that was refused: no timer of Flink is set for it.
This layout must not change: savepoints have it.
"""

from __future__ import annotations

import struct
from typing import Final

from transforms.hosting.receive import Key

_ALARM: Final = struct.Struct(">q")
_NONE: Final = -1


def pack(alarm: int | None, state: bytes | None) -> bytes | None:
    """Return what to keep; None if there is neither an alarm nor a state."""
    if alarm is None and state is None:
        return None
    return _ALARM.pack(_NONE if alarm is None else alarm) + (state or b"")


def unpack(kept: bytes | None) -> tuple[int | None, bytes | None]:
    """Return the alarm and the state."""
    if kept is None:
        return None, None
    alarm: int = _ALARM.unpack_from(kept)[0]
    return None if alarm == _NONE else alarm, kept[_ALARM.size :] or None


def is_refused(alarm: int) -> bool:
    """Return True for the complement of the time of an alarm."""
    return alarm < 0


def to_name(key: Key) -> str:
    """Return the key of Flink for a user; a space's name has no slash."""
    return f"{key[0]}/{key[1]}"


def to_key(name: str) -> Key:
    """Return the space and the user of a key of Flink."""
    space, _, user = name.partition("/")
    return space, user
