"""The closed union of all triggers."""

from __future__ import annotations

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
