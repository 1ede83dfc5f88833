"""Turn a message of the events topic into a signal for one user, or into a dead letter.

No runner, no clock: a message's receipt (ms UTC) is an argument. The watermark of a host is about
receipts, so the core must use the same receipt (R1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from transforms.flows.catalog.epochs import NEVER
from transforms.flows.engine.step import is_unused
from transforms.flows.protocol.outputs import DeadLetter
from transforms.flows.protocol.signals import Command, ProfileChange, Signal, Time
from transforms.hosting import dead_letters
from transforms.hosting.allowed import Source, restricted_kind
from transforms.hosting.catalogs import Catalogs, Known
from transforms.wire.decode import decode_used
from transforms.wire.messages import is_json_event, to_signal
from transforms.wire.raw import Bad
from transforms.wire.values import in_range

Key = tuple[str, str]
"""A space and a user's id: what a host partitions by."""

KIND, HEARTBEAT = "kind", "heartbeat"
SPACE = "space"
ID = "id"

ANY_SOURCE = Source()

Ignored = Literal["heartbeat", "unread"]
"""Why a message is neither a signal nor bad: it only moved time on, or no flow uses its event."""


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A signal for one user of a space, with the receipt of its message."""

    space: str
    signal: Signal

    @property
    def key(self) -> Key:
        """Return the key whose state handles the signal."""
        return self.space, self.signal.user


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A message that is not a signal, with its dead letter."""

    space: str
    letter: DeadLetter


def receive(
    catalogs: Catalogs,
    data: bytes,
    attributes: Mapping[str, str],
    receipt: int,
    *,
    message_id: str = "",
    space: str = "default",
    joins: bool = True,
    source: Source = ANY_SOURCE,
) -> Accepted | Rejected | Ignored:
    """Decode, validate and address one message.

    ``space`` is the default for messages without a ``space`` attribute. ``message_id`` names the message in a dead letter if
    it has no ``id`` attribute. ``joins`` says that handovers come back to the host as messages;
    without them an identify that names two keys changes the user's profile and joins nothing.
    What ``source`` is not allowed to deliver is rejected (R9).
    """
    if attributes.get(KIND) == HEARTBEAT:
        return "heartbeat"
    cause = attributes.get(ID, message_id)
    named = attributes.get(SPACE, space)
    nearest = in_range(receipt)
    if named not in catalogs.spaces:
        bad = Bad(message_id, 0, "unknown_space", "there is no space of that name")
        return Rejected(space, dead_letters.of_message(space, bad, cause, nearest))
    if receipt != nearest:
        bad = Bad(message_id, 0, "out_of_range", "its time is outside of the years 1970 to 2200")
        return Rejected(named, dead_letters.of_message(named, bad, cause, nearest))
    known = catalogs.of(named)
    # An event may be ignored only if no later record of the log can make a flow use it.
    certain = known.catalog.complete_until >= receipt
    used = known.catalog.events_read_since
    found: Signal | Bad | None
    if certain and known.catalog.all_events_since == NEVER and is_json_event(attributes):
        found = decode_used(data, used, message_id)
    else:
        found = to_signal(data, attributes, None, message_id)
    if isinstance(found, Bad):
        return Rejected(named, dead_letters.of_message(named, found, cause, receipt))
    if found is None or (certain and is_unused(known.catalog, found)):
        return "unread"
    kind = restricted_kind(found)
    if kind is not None and kind not in source.allow:
        letter = dead_letters.of_not_allowed(named, found, kind, source.name, cause, receipt)
        return Rejected(named, letter)
    return Accepted(named, received(found if joins else unjoined(found), receipt, known))


def received(signal: Signal, receipt: int, known: Known) -> Signal:
    """Set a signal's receipt.

    A ``wake`` fires nothing that is due after the watermark: firing earlier would break R1.
    """
    assert not isinstance(signal, Time)
    if isinstance(signal, Command) and signal.what == "wake":
        at = min(signal.time, receipt - known.slack)
        return msgspec.structs.replace(signal, received=receipt, time=at)
    return msgspec.structs.replace(signal, received=receipt)


def unjoined(signal: Signal) -> Signal:
    """Address an identify of two keys to the user that it names, without joining the keys."""
    if isinstance(signal, ProfileChange) and signal.becomes is not None:
        return msgspec.structs.replace(signal, user=signal.becomes, becomes=None)
    return signal
