"""The names that a file may use: those of its space, and those of the flow itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

import msgspec

from transforms.flows.definitions.forms import Targets
from transforms.flows.definitions.shapes import TriggerKind
from transforms.flows.definitions.space import Number, Space
from transforms.flows.definitions.steps.kinds import STEP_KINDS
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS
from transforms.flows.expressions.scope import AtHand, Scope
from transforms.flows.expressions.types import MESSAGE
from transforms.flows.reading import nodes

Types = dict[str, str]

CHANGES = tuple(
    field.key for kind in STEP_KINDS for field in kind.fields if isinstance(field.form, Targets)
)
"""Keys of steps that set variables."""

OWN_TRAITS = {"id": "text", "timezone": "text"}
"""Traits that need no declaration, because the product itself reads them (R16)."""

IN_SESSION: frozenset[AtHand] = frozenset(("entry", "session", "communication", "message"))

STATUS = "status"
"""What every participant has beside the fields of its campaign (R21)."""


NAMED = ("channels", "topics", "audiences", "groups", "campaigns", "connections", "destinations")
"""Sections of a space of which only the names are needed."""


class Known(msgspec.Struct, frozen=True, gc=False):
    """Names by kind; types by property and trait. ``entry`` None: its fields are not known.

    ``flows`` None: the other flows are not known. ``agents`` have their channels, ``tracks``
    are what each channel can tell of its messages. ``campaign`` is that of the flow;
    ``participant`` None: the fields of its participants are not known.
    """

    channels: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    computed: frozenset[str] = frozenset()
    events: dict[str, Types] = {}
    traits: Types = {}
    entry: Types | None = None
    session: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()
    hand: frozenset[AtHand] = frozenset()
    flows: frozenset[str] | None = None
    agents: dict[str, str] = {}
    tracks: dict[str, tuple[str, ...]] = {}
    numbers: dict[str, Number] = {}
    groups: frozenset[str] = frozenset()
    campaigns: frozenset[str] = frozenset()
    campaign: str | None = None
    participant: Types | None = None
    statuses: frozenset[str] = frozenset()
    connections: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()

    def at_hand(self, *roots: AtHand) -> Known:
        """Return the names for a section that can read only these roots."""
        return msgspec.structs.replace(self, hand=frozenset(roots))

    def of_campaign(self, space: Space, name: str | None) -> Known:
        """Return these names with those of a flow's campaign, where every section can read the participant."""
        declared = next((c for c in space.campaigns if c.name == name), None)
        if declared is None:
            return msgspec.structs.replace(self, campaign=name)
        typed = {**_kinds(declared.fields), STATUS: "text"} if declared.fields else None
        listed = frozenset(declared.statuses)
        return msgspec.structs.replace(self, campaign=name, participant=typed, statuses=listed)

    def scope(self, event: str | None = None) -> Scope:
        """Return what an expression may read; ``event`` is the event that it may read, if any."""
        return Scope(
            at_hand=self.hand | self._more(event),
            event_names=() if event is None else (event,),
            events=self.events,
            entry=self.entry,
            traits={**OWN_TRAITS, **self.traits} if self.traits else None,
            participant=self.participant,
            variables=dict.fromkeys(self.session, "any"),
            audiences=self.audiences,
            steps=self.senders,
            statuses=self.statuses or None,
            consents=_consents(self.channels, self.topics),
        )

    def _more(self, event: str | None) -> set[AtHand]:
        roots: set[AtHand] = set() if event is None else {"event"}
        return roots if self.campaign is None else {*roots, "participant"}

    def within(self, steps: frozenset[str]) -> Known:
        """Return the names for a section whose steps are these."""
        return msgspec.structs.replace(self, steps=steps)


@lru_cache(maxsize=16)
def _consents(channels: frozenset[str], topics: frozenset[str]) -> frozenset[str]:
    """Return what a user can consent to; the same for every expression of a space."""
    both = (f"{channel}:{topic}" for channel in channels for topic in topics)
    return channels | topics | frozenset(both)


def of_space(space: Space) -> Known:
    """Return the names that a space declares."""
    known = Known(
        computed=frozenset(a.name for a in space.audiences if a.when is not None),
        events={name: _kinds(types) for name, types in space.events},
        traits=_kinds(space.traits),
        agents={agent.name: agent.channel for agent in space.agents},
        tracks={channel.name: channel.tracks for channel in space.channels},
        numbers={number.name: number for number in space.numbers},
    )
    names = {kind: frozenset(item.name for item in getattr(space, kind)) for kind in NAMED}
    return msgspec.structs.replace(known, **names)


def _kinds(types: tuple[tuple[str, str], ...]) -> Types:
    """Return types as expressions name them: a ``time`` of the file is a date."""
    return {name: "date" if kind == "time" else kind for name, kind in types}


def of_flow(space: Known, root: nodes.Mapping) -> Known:
    """Return the names of a space with those of a flow's file, which is not read yet."""
    steps = dict(_keys(root.get("steps")))
    both = [*steps.items(), *_keys(root.get("on_exit"))]
    return msgspec.structs.replace(
        space,
        entry=_entry(space, root.get("enter")),
        session=frozenset(name for key, step in both for name in _variables(key, step)),
        steps=frozenset(steps),
        senders=frozenset(name for name, step in both if _sends(step)),
        hand=IN_SESSION,
    )


def campaign_in(root: nodes.Mapping) -> str | None:
    """Return the campaign that a flow's file names."""
    return nodes.text_of(root.get("campaign")) or None


def _keys(node: nodes.Node | None) -> Iterator[tuple[str, nodes.Mapping]]:
    for key, value in nodes.entries(node):
        yield key.text, value if isinstance(value, nodes.Mapping) else nodes.Mapping(0, 0, ())


def _sends(step: nodes.Mapping) -> bool:
    """Return whether a step sends a message; one whose verb is misspelt may."""
    structs = [kind.struct for kind in STEP_KINDS if any(map(step.get, kind.leads))]
    return Send in structs if structs else step.get("template") is not None


def _variables(key: str, step: nodes.Mapping) -> Iterator[str]:
    """Yield the session's variables that a step sets; an answer has the name of its step."""
    for kind in STEP_KINDS:
        if kind.answers and step.get(kind.leads[0]) is not None:
            yield key
    for verb in CHANGES:
        for name, _ in _keys(step.get(verb)):
            if name.startswith("session."):
                yield name.removeprefix("session.")


def _entry(space: Known, node: nodes.Node | None) -> Types | None:
    """Return the entry's fields if every trigger is a declared event, or a message or call."""
    merged: Types = {}
    for trigger in nodes.items_of(node):
        kinds = _kinds_of(trigger)
        if any(kind.entry == "message" for kind in kinds):
            types = [MESSAGE]
        else:
            names = [
                name for kind in kinds if kind.entry == "event" for name in _events(trigger, kind)
            ]
            if not names or any(name not in space.events for name in names):
                return None
            types = [space.events[name] for name in names]
        for field, type_ in chain.from_iterable(known.items() for known in types):
            merged[field] = type_ if merged.get(field, type_) == type_ else "any"
    return merged if node is not None else None


def _kinds_of(trigger: nodes.Node) -> list[TriggerKind]:
    if not isinstance(trigger, nodes.Mapping):
        return []
    return [kind for kind in TRIGGER_KINDS if trigger.get(kind.leads[0]) is not None]


def _events(trigger: nodes.Node, kind: TriggerKind) -> Iterator[str]:
    """Yield the events that a trigger enters by: its own, or those of the list at its key."""
    assert isinstance(trigger, nodes.Mapping)
    lead = trigger.get(kind.leads[0])
    for part in lead.items if isinstance(lead, nodes.Sequence) else (trigger,):
        event = part.get("event") if isinstance(part, nodes.Mapping) else None
        if isinstance(event, nodes.Scalar):
            yield event.text
