"""Triggers on events and combinations of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from transforms.flows.clock.delays import Delay
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Records, Shape, TriggerKind
from transforms.flows.definitions.values import (
    AGAIN,
    MATCH,
    EventMatch,
    Reenter,
    Value,
    event,
    where,
)


class OnEvent(Value, frozen=True, gc=False, tag="event"):
    """Enter on an event (B5)."""

    match: EventMatch
    reenter: Reenter | None = None


class OnCombination(Value, frozen=True, gc=False, tag="combination"):
    """Enter when several events happened within a period (I4).

    ``without``: the first part happened and none of the others followed ``within`` it.
    """

    how: Literal["all", "any", "sequence", "without"]
    parts: tuple[EventMatch, ...]
    within: Delay
    reenter: Reenter | None = None


EventTriggers = OnEvent | OnCombination

_LATER = Shape(
    struct=EventMatch,
    fields=(
        MATCH.fields[0],
        where(
            "A condition on the event; `entry.` is the first part.",
            forms.Condition(event=True, roots=("entry",)),
        ),
    ),
)
_PARTS = Records(MATCH, "an event")
_COMPARED = Records(_LATER, "an event")


def _within(text: str) -> Field:
    return Field("within", forms.Delay(), text, needed=True)


def _names(parts: tuple[EventMatch, ...], between: str) -> str:
    return between.join(part.event for part in parts)


def _details(trigger: OnCombination) -> Iterator[str]:
    yield f"within {trigger.within.text}"
    for part in trigger.parts:
        if part.where is not None:
            yield f"{part.event} where {part.where.text}"


def _without(values: dict[str, Any]) -> OnCombination:
    parts = (values["match"], *values["others"])
    return OnCombination("without", parts, values["within"], values.get("reenter"))


def _parts_of(trigger: OnCombination) -> dict[str, Any]:
    first, *others = trigger.parts
    parts = {"match": first, "others": tuple(others)}
    return {**parts, "within": trigger.within, "reenter": trigger.reenter}


# fmt: off
def _combination(
    how: str, between: str, within: str, about: str, example: str, parts: Records = _COMPARED
) -> TriggerKind:
    return TriggerKind(
        struct=OnCombination, fixed=(("how", how),), entry="event", details=_details,
        title=lambda trigger: _names(trigger.parts, between),
        fields=(Field(how, parts, "The events.", "parts", needed=True), _within(within), AGAIN),
        about=about, example=example,
    )


KINDS = (
    TriggerKind(
        struct=OnEvent, title=lambda trigger: trigger.match.event, entry="event",
        fields=(event(), AGAIN),
        about="An event.",
        example="- event: Cart Updated\n  where: event.value >= 20",
    ),
    TriggerKind(
        struct=OnCombination, fixed=(("how", "without"),), chosen=lambda texts: "without" in texts,
        title=lambda trigger: f"{trigger.parts[0].event} without {_names(trigger.parts[1:], ' or ')}",
        entry="event", details=_details, build=_without, take=_parts_of,
        fields=(
            event(),
            Field("without", _COMPARED, "Events of which none may follow.", "others", needed=True),
            _within("For how long the others may come."),
            AGAIN,
        ),
        about="With `without` and `within`: the user enters at the end of that time, unless one of "
        "the other events follows within it. If the first event comes again with the same key, the "
        "time starts over, and the earlier event is refused as `replaced_by_newer`. With `key:`, "
        "time is counted separately for each key.",
        example="- event: Cart Updated\n  without:\n    - {event: Order Completed, "
        "where: event.cart == entry.cart}\n  within: 2h",
    ),
    _combination("all", " and ", "The period; an event counts until it is over.",
        "Several events within a period, in any order. One event may serve for several parts. A "
        "part whose condition reads `entry.` counts only after the first part.",
        "- all: [{event: Signed Up}, {event: Cart Updated}]\n  within: 7d"),
    _combination("any", " or ", "Needed, as in the other combinations; without effect.",
        "One of several events.",
        "- any: [{event: Signed Up}, {event: Cart Updated}]\n  within: 1d", _PARTS),
    _combination("sequence", ", then ", "The period.",
        "Several events in this order within a period, which begins with the first. One event "
        "serves for one part.",
        "- sequence:\n    - event: Cart Updated\n    - {event: Checkout Started, "
        "where: event.cart == entry.cart}\n  within: 1h"),
)
"""How these triggers are written, in the order of the reference."""
# fmt: on
