"""Identity resolution of a back-test: a first pass over the input finds keys that were joined (R8).

So the core sees one key per user from the first event on, and needs no handover.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from transforms.flows.protocol.signals import Event, Forwarded, Handover, ProfileChange, Signal
from transforms.hosting.order import event_time
from transforms.sources.files import read
from transforms.wire.decode import decode
from transforms.wire.mapping import Mapping
from transforms.wire.raw import Bad

Moves = dict[str, list[tuple[int, str]]]
"""For each key: when it was joined to which other key, in order of time."""


def find_moves(events: Iterable[str], mapping: Mapping | None) -> Moves:
    """Find the identifies and aliases in files that name two keys."""
    found: Moves = {}
    for path in events:
        for raw in read(Path(path), mapping):
            if isinstance(raw, Bad):
                continue
            if isinstance(raw.body, dict) and "type" not in raw.body:
                break  # a table without the envelope's columns names one user per row
            if _names_two(raw.body):
                signal = decode(raw, mapping)
                if isinstance(signal, ProfileChange) and signal.becomes is not None:
                    move = event_time(signal), signal.becomes
                    found.setdefault(signal.user, []).append(move)
    return {key: sorted(moves) for key, moves in sorted(found.items())}


def _names_two(body: bytes | dict[str, Any]) -> bool:
    """Return True if a record may name two keys, without decoding it."""
    if isinstance(body, bytes):
        return b'"userId"' in body and (b'"anonymousId"' in body or b'"previousId"' in body)
    return bool(body.get("userId") and (body.get("anonymousId") or body.get("previousId")))


def key_at(moves: Moves, key: str, t: int) -> str:
    """Return the key of a signal at an instant; before the first join, the first join's."""
    seen = {key}
    while (found := moves.get(key)) is not None:
        at = bisect_right(found, t, key=_time)
        to = found[max(0, at - 1)][1]
        if to in seen:
            break
        seen.add(to)
        key = to
    return key


def _time(move: tuple[int, str]) -> int:
    return move[0]


def resolved(moves: Moves, signal: Signal) -> Signal | None:
    """Set the key of a signal; None for handovers and forwarded signals, whose originals are input."""
    if isinstance(signal, Event) and not moves:
        return signal
    if isinstance(signal, (Handover, Forwarded)):
        return None
    if isinstance(signal, ProfileChange) and signal.becomes is not None:
        signal = msgspec.structs.replace(signal, becomes=None)
    key = key_at(moves, signal.user, event_time(signal))
    if key == signal.user:
        return signal
    found: Signal = msgspec.structs.replace(signal, user=key)
    return found
