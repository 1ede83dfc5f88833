"""Triggers on the participants of a campaign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Flaw, TriggerKind
from transforms.flows.definitions.values import AGAIN, Reenter, Value, where
from transforms.flows.expressions.syntax.ast import Expr

Change = Literal["created", "updated"]


class OnParticipant(Value, frozen=True, gc=False, tag="participant"):
    """Enter when a participant of the campaign is created, or a field of it changes (C7, C8).

    ``always``: created each time it is uploaded (C22).
    """

    when: Change
    field: str | None = None
    always: bool = False
    where: Expr | None = None
    reenter: Reenter | None = None


def _fits_the_change(trigger: OnParticipant) -> Iterator[Flaw]:
    wrong = {"field": trigger.field} if trigger.when == "created" else {"on_upload": trigger.always}
    for key, value in wrong.items():
        if value:
            message = f'a participant that is {trigger.when} has no "{key}"'
            yield Flaw((key,), "unknown-key", message, at_key=True)


# fmt: off
KINDS = (
    TriggerKind(
        struct=OnParticipant, title="a participant is {when}", checks=(_fits_the_change,),
        fields=(
            Field("participant", forms.ParticipantChange(get_args(Change)),
                "`created`, or `updated`: a field changed, or the status.", "when", needed=True),
            Field("field", forms.ParticipantField(), "For `updated`: only if this field changed.",
                shown="field {}"),
            Field("on_upload", forms.Word("always"),
                "For `created`: `always` enters at every upload, not only at the first.", "always",
                shown="at each upload"),
            where("A condition, which may read `participant.`.", forms.Condition(roots=("entry",))),
            AGAIN,
        ),
        about="A participant of the flow's campaign: created, by an upload or by entering one of "
        "the flows, or updated. What a flow itself changes does not start it again. `entry.` is "
        "the data that came with the record, if any.",
        example="- {participant: created, on_upload: always}\n"
        "- {participant: updated, field: size, where: participant.size > 5}",
    ),
)
"""How these triggers are written, in the order of the reference."""
# fmt: on
