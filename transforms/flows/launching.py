"""Launches: a predefined audience enters when its flow starts, or as a launcher names it (I2, R22).

Members, the holders of a tag or people of a list; a launch enters nobody twice, however late it
is tried again: the flow's history of the user keeps its id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from transforms.flows import model
from transforms.flows.catalog import FlowView
from transforms.flows.ids import hashed, short
from transforms.flows.plan import Plan, Start
from transforms.flows.run import Run
from transforms.flows.signals import Enter
from transforms.flows.stored import History

MOST_LAUNCHES: Final = 1_000
Joining = dict[tuple[str, bool], tuple[tuple[FlowView, Start], ...]]


def joining(views: Iterable[FlowView]) -> Joining:
    """Map an audience, entered or left, to the first trigger of each flow on it."""
    found: dict[tuple[str, bool], list[tuple[FlowView, Start]]] = {}
    for view in views:
        for start in reversed(view.plan.starts):
            trigger = start.trigger
            if isinstance(trigger, model.OnAudience) and trigger.when != "launch":
                starts = found.setdefault((trigger.audience, trigger.when != "left"), [])
                others = [s for s in starts if s[0] is not view]
                starts[:] = [*others, (view, start)]
    return {key: tuple(starts) for key, starts in found.items()}


def launch_id(space: str, flow: str, at: int) -> str:
    """Return the id of the launch that the start of a flow at an instant is (R30)."""
    return hashed(space, flow, "launch", str(at))


def belongs(run: Run, start: Start) -> bool:
    """Tell whether the user belongs to a predefined audience that is known here."""
    match start.trigger:
        case model.OnAudience(audience=audience, when=when):
            return when in model.LAUNCHED and audience in run.state.audiences
        case model.OnTag(tag=tag, when=when):
            return when in model.LAUNCHED and tag in run.state.tags
        case _:
            return False


def takes(start: Start, signal: Enter, source: str) -> bool:
    """Tell whether a trigger takes an entry from outside, of a launch, or from a flow (C12)."""
    match start.trigger:
        case model.OnFlow(flow=flow):
            return flow == source
        case model.OnEnter():
            return True
        case model.OnPeople():
            return signal.launch is not None
        case model.OnAudience(audience=audience, when=when):
            return (
                signal.launch is not None
                and when in model.LAUNCHED
                and audience == signal.member_of
            )
        case model.OnTag(when=when):
            return signal.launch is not None and when in model.LAUNCHED and signal.member_of is None
        case _:
            return False


def refusal(run: Run, plan: Plan, start: Start, signal: Enter) -> str | None:
    """Return why a launch enters nobody here: it did already, or the user does not belong to it."""
    audience = signal.member_of
    if signal.launch is not None:
        reason = repeated(run, plan, signal.launch)
        if reason is not None:
            return reason
        if isinstance(start.trigger, model.OnTag) and not belongs(run, start):
            return "not_member"
    return "not_member" if audience is not None and audience not in run.state.audiences else None


def repeated(run: Run, plan: Plan, launch: str) -> str | None:
    """Note a launch of a flow for this user; return why it cannot be noted, if so (R22)."""
    history = run.state.histories.setdefault(plan.number, History())
    known, launches = short(launch), history.launches or []
    if known in launches:
        return "launched"
    if len(launches) >= MOST_LAUNCHES:
        return "too_many_entries"
    history.launches = [*launches, known]
    return None
