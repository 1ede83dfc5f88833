"""The order in which the signals of one user are handled: event time, sequence, id (R3).

A replay sorts all signals of a user. A streaming host sorts those that have arrived within the
allowed lateness of each other.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec

from transforms.flows.protocol import signals
from transforms.flows.protocol.signals import Forwarded, Signal, Time


def event_time(signal: Signal) -> int:
    """Return the event time, at most the ingestion time (R9)."""
    assert not isinstance(signal, Time)
    received = signal.received
    return signal.time if received is None or received > signal.time else received


def ingestion_time(signal: Signal) -> int:
    """Return the ingestion time; the event time if there is none."""
    assert not isinstance(signal, Time)
    received = signal.received
    return signal.time if received is None else received


def order_key(signal: Signal) -> tuple[int, int, str]:
    """Return what signals are sorted by; a forwarded signal has the place of the one inside it."""
    if type(signal) is Forwarded:
        inner = signals.decode(signal.signal)
        assert not isinstance(inner, Time)
        came = signal.received
        return inner.time if came is None else min(inner.time, came), inner.sequence, inner.id
    assert not isinstance(signal, Time)
    received = signal.received
    at = signal.time if received is None or received > signal.time else received
    return at, signal.sequence, signal.id


def in_event_order(found: list[Signal]) -> list[Signal]:
    """Sort by event time, sequence and id, then by contents, so that the order is deterministic."""
    last = -1
    for signal in found:
        if type(signal) is Forwarded or event_time(signal) <= last:
            break
        last = event_time(signal)
    else:
        return found
    keys = [order_key(signal) for signal in found]
    if all(before < after for before, after in pairwise(keys)):
        return found
    if len(set(keys)) < len(keys):
        return sorted(found, key=lambda signal: (order_key(signal), signals.encode(signal)))
    return [found[place] for place in sorted(range(len(keys)), key=keys.__getitem__)]


def with_earliest_receipts(found: list[Signal]) -> list[Signal]:
    """Lower each ingestion time to that of the next signal, if that is earlier.

    Signals that arrived in order keep their ingestion times. A late signal is handled before the
    ones after it, and does not delay them.
    """
    for signal in found:
        if type(signal) is Time or signal.received is not None:
            break
    else:
        return found
    earliest: int | None = None
    for index in range(len(found) - 1, -1, -1):
        signal = found[index]
        assert not isinstance(signal, Time)
        received = signal.received
        if received is None:
            earliest = signal.time if earliest is None else min(earliest, signal.time)
            continue
        if earliest is not None and received > earliest:
            received = max(event_time(signal), earliest)
            found[index] = msgspec.structs.replace(signal, received=received)
        earliest = received
    return found


def in_turn(arrived: list[Signal], slack: int, watermark: int) -> tuple[list[Signal], list[Signal]]:
    """Split signals into those to handle now, in order, and those that must still wait.

    A signal waits until the watermark over ingestion times has passed its own by ``slack`` ms.
    Before it go all signals with an earlier place that arrived by then. So the order does not
    depend on when the watermark advances: signals that are out of order by at most ``slack`` are
    handled as if they had arrived in order.
    """
    waiting = in_event_order(arrived)
    receipts = [ingestion_time(signal) for signal in waiting]
    if all(before <= after for before, after in pairwise(receipts)):
        count = 0
        while count < len(waiting) and receipts[count] + slack < watermark:
            count += 1
        return waiting[:count], waiting[count:]
    turn: list[Signal] = []
    left = list(range(len(waiting)))
    for place in sorted(left, key=receipts.__getitem__):
        last = receipts[place] + slack
        if last >= watermark:
            break
        if place not in left:
            continue
        kept: list[int] = []
        for other in left:
            if other > place or receipts[other] > last:
                kept.append(other)
            else:
                turn.append(_received_by(waiting[other], receipts[place]))
        left = kept
    return turn, [waiting[place] for place in left]


def _received_by(signal: Signal, received: int) -> Signal:
    """Lower the ingestion time to that of a signal that is handled later."""
    assert not isinstance(signal, Time)
    if signal.received is None or signal.received <= received:
        return signal
    return msgspec.structs.replace(signal, received=max(event_time(signal), received))
