"""The closed union of all triggers, and how each is written."""

from __future__ import annotations

from transforms.flows.definitions.shapes import TriggerKind
from transforms.flows.definitions.triggers import (
    audiences,
    events,
    flows,
    messages,
    participants,
    profile,
)
from transforms.flows.definitions.triggers.audiences import AudienceTriggers
from transforms.flows.definitions.triggers.events import EventTriggers
from transforms.flows.definitions.triggers.flows import EntryTriggers
from transforms.flows.definitions.triggers.messages import MessageTriggers
from transforms.flows.definitions.triggers.participants import OnParticipant
from transforms.flows.definitions.triggers.profile import ProfileTriggers

Trigger = (
    EventTriggers
    | ProfileTriggers
    | AudienceTriggers
    | EntryTriggers
    | MessageTriggers
    | OnParticipant
)

TRIGGER_KINDS: tuple[TriggerKind, ...] = (
    *events.KINDS,
    *profile.KINDS,
    *audiences.KINDS,
    *flows.KINDS,
    *messages.KINDS,
    *participants.KINDS,
)
"""How each trigger is written, in the order of the reference."""
