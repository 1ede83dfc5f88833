"""Who is whom in a back-test: a first pass over the input finds the keys that became others (R8).

So the core sees one key for each user, from the first event on, and no handover is needed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from pipelines.replay.order import own_time
from transforms.flows.protocol.signals import Event, Forwarded, Handover, ProfileChange, Signal
from transforms.sources.files import read
from transforms.wire.decode import decode
from transforms.wire.mapping import Mapping
from transforms.wire.raw import Bad

Moves = dict[str, list[tuple[int, str]]]
"""For each key, when it became which other, in the order of time."""


def find_moves(events: Iterable[str], mapping: Mapping | None) -> Moves:
    """Read files for identifies and aliases that name two keys."""
    found: Moves = {}
    for path in events:
        for raw in read(Path(path), mapping):
            if isinstance(raw, Bad):
                continue
            if isinstance(raw.body, dict) and "type" not in raw.body:
                break  # a table that is no envelope names one user a row
            if _names_two(raw.body):
                signal = decode(raw, mapping)
                if isinstance(signal, ProfileChange) and signal.becomes is not None:
                    move = own_time(signal), signal.becomes
                    found.setdefault(signal.user, []).append(move)
    return {key: sorted(moves) for key, moves in sorted(found.items())}


def _names_two(body: bytes | dict[str, Any]) -> bool:
    """Tell whether a record may name two keys, without decoding it."""
    if isinstance(body, bytes):
        return b'"userId"' in body and (b'"anonymousId"' in body or b'"previousId"' in body)
    return bool(body.get("userId") and (body.get("anonymousId") or body.get("previousId")))


def key_at(moves: Moves, key: str, t: int) -> str:
    """Return the key that a signal of an instant belongs to; what is before the first goes there."""
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
    """Give a signal its one key; None for what keys tell each other, which is in the input too."""
    if isinstance(signal, Event) and not moves:
        return signal
    if isinstance(signal, (Handover, Forwarded)):
        return None
    if isinstance(signal, ProfileChange) and signal.becomes is not None:
        signal = msgspec.structs.replace(signal, becomes=None)
    key = key_at(moves, signal.user, own_time(signal))
    if key == signal.user:
        return signal
    found: Signal = msgspec.structs.replace(signal, user=key)
    return found
