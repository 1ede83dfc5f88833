"""Launches: a predefined audience enters when its flow starts, or through a launcher (I2, R22).

The audience is an audience's members, the users with a tag, or a list of people. No user enters
twice by one launch, even if it is retried much later: the user's history in the flow has its id.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.catalog.compiled import CompiledTrigger, Plan
from transforms.flows.definitions.triggers.audiences import LAUNCHED, OnAudience, OnPeople, OnTag
from transforms.flows.definitions.triggers.flows import OnEnter, OnFlow
from transforms.flows.engine.context import Context
from transforms.flows.protocol.signals import Enter
from transforms.flows.state.ids import hashed, short
from transforms.flows.state.stored import History

MOST_LAUNCHES: Final = 1_000


def launch_id(space: str, flow: str, at: int) -> str:
    """Return the id of the launch by the start of a flow at an instant (R30)."""
    return hashed("start", space, flow, str(at))


def is_member(ctx: Context, compiled: CompiledTrigger) -> bool:
    """Return True if the state shows that the user is in the trigger's predefined audience."""
    match compiled.trigger:
        case OnAudience(audience=audience, when=when):
            return when in LAUNCHED and audience in ctx.state.audiences
        case OnTag(tag=tag, when=when):
            return when in LAUNCHED and tag in ctx.state.tags
        case _:
            return False


def accepts(compiled: CompiledTrigger, signal: Enter, source: str) -> bool:
    """Return True if a trigger accepts an entry by the API, a launch or another flow (C12)."""
    match compiled.trigger:
        case OnFlow(flow=flow):
            return flow == source
        case OnEnter():
            return True
        case OnPeople():
            return signal.launch is not None
        case OnAudience(audience=audience, when=when):
            return signal.launch is not None and when in LAUNCHED and audience == signal.member_of
        case OnTag(when=when):
            return signal.launch is not None and when in LAUNCHED and signal.member_of is None
        case _:
            return False


def refusal(ctx: Context, plan: Plan, compiled: CompiledTrigger, signal: Enter) -> str | None:
    """Return the reason if a launch cannot enter this user: launched already, or not a member."""
    audience = signal.member_of
    if signal.launch is not None:
        reason = note_launch(ctx, plan, signal.launch)
        if reason is not None:
            return reason
        if isinstance(compiled.trigger, OnTag) and not is_member(ctx, compiled):
            return "not_member"
    return "not_member" if audience is not None and audience not in ctx.state.audiences else None


def note_launch(ctx: Context, plan: Plan, launch: str) -> str | None:
    """Record a launch of a flow for this user; return the reason if that is refused (R22)."""
    history = ctx.state.histories.setdefault(plan.number, History())
    known, launches = short(launch), history.launches or []
    if known in launches:
        return "launched"
    if len(launches) >= MOST_LAUNCHES:
        return "too_many_entries"
    history.launches = [*launches, known]
    return None
