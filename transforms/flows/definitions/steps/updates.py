"""Steps that change what is known of the user, and the one that raises an event."""

from __future__ import annotations

from collections.abc import Iterator

from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Flaw, StepKind
from transforms.flows.definitions.values import Named, Value


class Update(Value, frozen=True, gc=False, tag="update"):
    """Set, unset, increment and append traits and session variables; add and remove tags (C17).

    Targets are ``user.<trait>``, ``participant.<field>`` or ``session.<variable>``.
    """

    set: Named = ()
    unset: tuple[str, ...] = ()
    increment: Named = ()
    append: Named = ()
    tag: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()


class ChangeAudience(Value, frozen=True, gc=False, tag="change_audience"):
    """Add the user to a static audience, or remove them (J7)."""

    audience: str
    add: bool = True


class EmitEvent(Value, frozen=True, gc=False, tag="emit"):
    """Raise an event of the product's own, seen by all flows."""

    event: str
    properties: Named = ()


Updates = Update | ChangeAudience | EmitEvent


def _updates_something(update: Update) -> Iterator[Flaw]:
    if update == Update():
        yield Flaw((), "empty-step", "the step updates nothing")


# fmt: off
def _change_audience(key: str, add: bool, caption: str, about: str, example: str) -> StepKind:
    audience = Field(key, forms.StaticAudience(), "The audience.", "audience", True, shown="{}")
    return StepKind(
        struct=ChangeAudience, fixed=(("add", add),), box="effect", caption=caption,
        fields=(audience,), about=about, example=example,
    )


KINDS = (
    StepKind(
        struct=Update, leads=("update", "unset", "increment", "append", "tag", "untag"),
        box="effect", caption="Update", checks=(_updates_something,),
        fields=(
            Field("update", forms.Targets(),
                "Values to set, as expressions, by `user.TRAIT`, `participant.FIELD`, "
                "`participant.status` or `session.VARIABLE`.", "set", shown="{} = {}"),
            Field("unset", forms.TargetNames(), "What to remove.", shown="unset {}"),
            Field("increment", forms.Targets(wants="number"),
                "Numbers to add; a missing one counts as 0.", shown="{} + {}"),
            Field("append", forms.Targets(), "Items to add to lists.", shown="{}, append {}"),
            Field("tag", forms.ListOf(forms.Text()), "Tags to add.", shown="tag {}"),
            Field("untag", forms.ListOf(forms.Text()), "Tags to remove.", shown="untag {}"),
        ),
        about="Changes traits, tags, fields of the participant and variables of the session; the "
        "next step sees it. Any of these keys makes the step; several may stand together.",
        example="mark:\n  update: {user.stage: '\"known\"', session.value: entry.value}\n"
        "  increment: {user.visits: 1}\n  tag: [seen]",
    ),
    _change_audience("add_to", True, "Add to", "Adds the user to a static audience.",
        "join: {add_to: club}"),
    _change_audience("remove_from", False, "Remove from",
        "Removes the user from a static audience.", "leave: {remove_from: club}"),
    StepKind(
        struct=EmitEvent, box="effect", caption="Raise event",
        fields=(
            Field("emit", forms.EventName(), "The event's name.", "event", needed=True, shown="{}"),
            Field("with", forms.Properties(event="emit"), "Its properties, as expressions.",
                "properties"),
        ),
        about="Raises an event, which all flows see.",
        example="raise: {emit: Reminded, with: {value: entry.value}}",
    ),
)
"""How these steps are written, in the order of the reference."""
# fmt: on
