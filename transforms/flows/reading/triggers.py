"""How a session begins and ends: triggers, re-entry, exit rules and goals from nodes."""

from __future__ import annotations

from collections.abc import Callable

from transforms.flows.definitions.flow import ExitAudience, ExitEvent, ExitRule, ExitWhen, Goal
from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.triggers.audiences import OnAudience, OnPeople, OnTag
from transforms.flows.definitions.triggers.events import OnCombination, OnEvent
from transforms.flows.definitions.triggers.flows import OnEnter, OnFlow
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.triggers.messages import OnCommunication
from transforms.flows.definitions.triggers.profile import OnDate, OnProfile, OnSchedule
from transforms.flows.definitions.values import EventMatch
from transforms.flows.diagnostics import quoted, suggest
from transforms.flows.reading.campaigns import on_participant
from transforms.flows.reading.fields import Fields, fields
from transforms.flows.reading.inbound import on_call, on_inbound, on_incoming
from transforms.flows.reading.nodes import Mapping, Node, Scalar, describe
from transforms.flows.reading.values import Reading

MAX_WAIT_DAYS = 400
MAX_GOAL_DAYS = 100


def event_match(reading: Reading, found: Fields) -> EventMatch | None:
    """Read ``event`` and ``where`` of a mapping."""
    event = found.need("event", reading.event)
    where = found.read("where", lambda node: reading.condition(node, event))
    return None if event is None else EventMatch(event, where)


def reenter(reading: Reading, node: Node) -> Reenter | None:
    """Read ``never`` or a map of ``after`` and ``limit``."""
    if isinstance(node, Scalar) and node.text == "never":
        return Reenter(allowed=False)
    if not isinstance(node, Mapping):
        said = f"reenter is {describe(node)}"
        known = "write never, or for example {after: 1d, limit: [2 per 7d]}"
        reading.problem(node, "wrong-kind", said, known)
        return None
    found = Fields(reading, node, "reenter")
    after = found.read("after", reading.delay)
    limits = found.read("limit", lambda inner: reading.many(inner, reading.limit))
    found.close()
    return Reenter(True, after, limits or ())


# --- triggers --------------------------------------------------------------------------


def triggers(reading: Reading, node: Node) -> tuple[Trigger, ...]:
    """Read the ways to enter, in the order listed."""
    return reading.many(node, lambda item: trigger(reading, item))


def trigger(reading: Reading, node: Node) -> Trigger | None:
    """Read one way to enter."""
    found = fields(reading, node, "a trigger")
    if found is None:
        return None
    kinds = [kind for kind in TRIGGERS if kind in found]
    if "at" in kinds and "audience" in kinds:
        kinds.remove("audience")
    if len(kinds) != 1:
        _no_kind(reading, found, kinds)
        return None
    found.what = f'a trigger with "{kinds[0]}"'
    again = found.read("reenter", lambda inner: reenter(reading, inner))
    made = TRIGGERS[kinds[0]](reading, found, again)
    found.close()
    return made


def _no_kind(reading: Reading, found: Fields, kinds: list[str]) -> None:
    if kinds:
        said = f"a trigger is one of {quoted(kinds)}, not several"
        reading.problem(found.lead, "two-kinds", said, "write two triggers")
        return
    keys = [key.text for key, _ in found.node.items]
    known = next(filter(None, (suggest(key, TRIGGERS) for key in keys)), "")
    reading.problem(found.lead, "unknown-trigger", "this is no trigger", known)


def _on_event(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    match = event_match(reading, found)
    others = found.read("without", lambda node: _parts(reading, node))
    if others is None:
        return None if match is None else OnEvent(match, again)
    within = found.need("within", lambda node: reading.delay(node, MAX_WAIT_DAYS))
    if match is None or within is None:
        return None
    return OnCombination("without", (match, *others), within, again)


def _on_combination(how: str) -> Reader:
    def read(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
        parts = found.need(how, lambda node: _parts(reading, node))
        within = found.need("within", lambda node: reading.delay(node, MAX_WAIT_DAYS))
        if parts is None or within is None:
            return None
        return OnCombination(how, parts, within, again)  # type: ignore[arg-type]

    return read


def _parts(reading: Reading, node: Node) -> tuple[EventMatch, ...] | None:
    parts = reading.many(node, lambda item: _part(reading, item))
    return parts or None


def _part(reading: Reading, node: Node) -> EventMatch | None:
    found = fields(reading, node, "an event")
    if found is None:
        return None
    match = event_match(reading, found)
    found.close()
    return match


def _on_profile(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    trait = found.need("changed", reading.trait)
    before = found.read("from", reading.value)
    after = found.read("to", reading.value)
    held = found.read("held", lambda node: reading.delay(node, MAX_WAIT_DAYS))
    where = found.read("where", reading.condition)
    if trait is None:
        return None
    return OnProfile(trait, before, after, held, where, again)


def _on_date(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    moment = found.need("date", reading.moment)
    if moment is not None and moment.kind != "path":
        node = found.get("date") or found.node
        known = "write for example user.birthday - 3d at 09:00; at: takes other moments"
        reading.problem(node, "invalid-moment", f'"{moment.text}" is no date of the user', known)
    yearly = found.flag("yearly")
    where = found.read("where", reading.condition)
    return None if moment is None else OnDate(moment, yearly, where, again)


def _on_schedule(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    moment = found.need("at", reading.moment)
    if moment is not None and moment.kind == "path":
        node = found.get("at") or found.node
        known = "write a date or a recurring time here; date: takes dates of the user"
        reading.problem(node, "invalid-moment", f'"{moment.text}" differs from user to user', known)
    name = found.need("audience", reading.audience)
    if moment is None or name is None:
        return None
    return OnSchedule(moment, name, again)


def _on_audience(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    name = found.need("audience", reading.audience)
    kinds = ("entered", "left", "member", "launch")
    when = found.read("when", lambda node: reading.one_of(node, kinds))
    if name is None:
        return None
    return OnAudience(name, when or "entered", again)  # type: ignore[arg-type]


def _on_enter(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    if found.read("api", reading.flag) is False:
        node = found.get("api") or found.node
        reading.problem(node, "wrong-kind", "api is false", "leave the trigger out")
    entered = Reading(reading.report, reading.known.at_hand("entry"))
    where = found.read("where", entered.condition)
    return OnEnter(where, again)


def _on_flow(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    flow = found.need("flow", reading.flow)
    entered = Reading(reading.report, reading.known.at_hand("entry"))
    where = found.read("where", entered.condition)
    return None if flow is None else OnFlow(flow, where, again)


def _on_communication(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    kinds = ("updated", "ended")
    when = found.need("communication", lambda node: reading.one_of(node, kinds))
    about = Reading(reading.report, reading.known.at_hand("communication"))
    where = found.read("where", about.condition)
    if when not in kinds:
        return None
    return OnCommunication(when, where, again)  # type: ignore[arg-type]


def _on_tag(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    tag = found.need("tag", reading.text)
    kinds = ("added", "removed", "member", "launch")
    when = found.read("when", lambda node: reading.one_of(node, kinds))
    if tag is None:
        return None
    return OnTag(tag, when if when in kinds else "added", again)  # type: ignore[arg-type]


def _on_people(reading: Reading, found: Fields, again: Reenter | None) -> Trigger | None:
    if found.read("people", reading.flag) is False:
        node = found.get("people") or found.node
        reading.problem(node, "wrong-kind", "people is false", "leave the trigger out")
    return OnPeople(again)


Reader = Callable[[Reading, Fields, Reenter | None], Trigger | None]

TRIGGERS: dict[str, Reader] = {
    "event": _on_event,
    "all": _on_combination("all"),
    "any": _on_combination("any"),
    "sequence": _on_combination("sequence"),
    "changed": _on_profile,
    "date": _on_date,
    "at": _on_schedule,
    "audience": _on_audience,
    "api": _on_enter,
    "flow": _on_flow,
    "tag": _on_tag,
    "people": _on_people,
    "communication": _on_communication,
    "inbound": on_inbound,
    "call": on_call,
    "incoming": on_incoming,
    "participant": on_participant,
}
"""Every kind of trigger by its key."""


# --- exit and goals ----------------------------------------------------------------------


def exit_rules(reading: Reading, node: Node) -> tuple[ExitRule, ...]:
    """Read the exit rules."""
    return reading.many(node, lambda item: exit_rule(reading, item))


def exit_rule(reading: Reading, node: Node) -> ExitRule | None:
    """Read one exit rule: an event, a condition or an audience left (R23)."""
    found = fields(reading, node, "an exit rule")
    if found is None:
        return None
    kinds = [kind for kind in ("event", "when", "left") if kind in found]
    made: ExitRule | None = None
    match kinds:
        case ["event"]:
            match = event_match(reading, found)
            made = None if match is None else ExitEvent(match)
        case ["when"]:
            when = found.read("when", reading.condition)
            made = None if when is None else ExitWhen(when)
        case ["left"]:
            name = found.read("left", reading.audience)
            made = None if name is None else ExitAudience(name)
        case _:
            said = 'an exit rule has one of "event", "when" and "left"'
            reading.problem(found.lead, "unknown-exit", said)
            return None
    found.close()
    return made


def goals(reading: Reading, node: Node) -> tuple[Goal, ...]:
    """Read a map of goals (R24)."""
    if not isinstance(node, Mapping):
        said = f"goals is {describe(node)}, not a map of names"
        reading.problem(node, "wrong-kind", said)
        return ()
    read = [_goal(reading, key, value) for key, value in node.items]
    return tuple(goal for goal in read if goal is not None)


def _goal(reading: Reading, key: Scalar, node: Node) -> Goal | None:
    name = reading.name(key, "a goal")
    found = fields(reading, node, f'goal "{key.text}"')
    if found is None:
        return None
    match = event_match(reading, found)
    within = found.need("within", lambda inner: reading.delay(inner, MAX_GOAL_DAYS))
    event = match.event if match else None
    value = found.read("value", lambda inner: reading.value(inner, event, "number"))
    found.close()
    if name is None or match is None or within is None:
        return None
    return Goal(name, match, within, value)
