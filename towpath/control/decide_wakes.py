"""Which users a control record wakes, who else would be handled with their next signal (R29, R22).

A wake fires what is due up to the instant of the record, and changes nothing else; it never creates
a user. A user's state knows whether a record concerns them, so a wake too many costs a message.
"""

from __future__ import annotations

from collections.abc import Iterator

from towpath.control.index import Wake
from transforms.flows.catalog.epochs import Catalog, Effect, Epoch
from transforms.flows.definitions.triggers.audiences import LAUNCHED, OnAudience, OnTag
from transforms.flows.definitions.triggers.profile import OnDate, OnSchedule
from transforms.flows.protocol.signals import Command
from transforms.flows.state.ids import hashed

IN_SESSIONS = ("stop", "resume", "migrate")
"""Effects that concern the sessions of their flow."""

OPENS = ("start", "publish", "resume")
"""Effects after which a flow may enter users who are in no session of it."""


def wakes_of(catalog: Catalog, after: int, until: int) -> tuple[Wake, ...]:
    """Return whom to wake for what took effect after an instant, and at or before another."""
    effects = (e for e in catalog.effects if after < e.at <= until)
    found = (wake for effect in effects for wake in _wakes(catalog.at(effect.at), effect))
    return tuple(dict.fromkeys(found))


def _wakes(epoch: Epoch, effect: Effect) -> Iterator[Wake]:
    if effect.what == "space":
        if epoch.audiences:
            yield Wake(effect.at)
        return
    view = None if effect.flow is None else epoch.by_number.get(effect.flow)
    if view is None:
        return
    if effect.what in IN_SESSIONS:
        yield Wake(effect.at, view.plan.id)
    if effect.what not in OPENS or view.status != "running":
        return
    for trigger in (compiled.trigger for compiled in view.plan.triggers):
        match trigger:
            case OnAudience(audience=audience, when=when) if when in LAUNCHED:
                if effect.what == "start":
                    yield from (Wake(effect.at, audience=audience), Wake(effect.at))
            case OnTag(when=when) if when in LAUNCHED:
                if effect.what == "start":
                    yield Wake(effect.at)
            case OnDate() | OnSchedule():
                yield Wake(effect.at)
            case _:
                pass


def signal_of(space: str, wake: Wake, user: str) -> Command:
    """Return the command that wakes a user; a repetition has the same id (R30)."""
    ident = hashed("wake", space, str(wake.at), user)
    return Command(id=ident, user=user, time=wake.at, what="wake")
