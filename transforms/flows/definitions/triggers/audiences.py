"""Triggers on audiences, tags and lists of people."""

from __future__ import annotations

from typing import Literal, get_args

from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, TriggerKind
from transforms.flows.definitions.values import AGAIN, Reenter, Value

LAUNCHED = ("member", "launch")
"""What triggers on a predefined audience say: its members when the flow starts enter."""

AudienceChange = Literal["entered", "left", "member", "launch"]
TagChange = Literal["added", "removed", "member", "launch"]


class OnAudience(Value, frozen=True, gc=False, tag="audience"):
    """Enter when an audience is entered or left, or as a member of it at the launch (L9, I2).

    ``member``: those who join later enter too; ``launch``: they do not (I21).
    """

    audience: str
    when: AudienceChange = "entered"
    reenter: Reenter | None = None


class OnTag(Value, frozen=True, gc=False, tag="tag"):
    """Enter when a tag is added to the user, or removed, or with it at the launch (I29, I2)."""

    tag: str
    when: TagChange = "added"
    reenter: Reenter | None = None


class OnPeople(Value, frozen=True, gc=False, tag="people"):
    """Enter as one of the people of a list that a launch names (I2)."""

    reenter: Reenter | None = None


AudienceTriggers = OnAudience | OnTag | OnPeople

_JOINS = {
    "entered": "joins {}",
    "left": "leaves {}",
    "member": "is in {} at the launch, or joins",
    "launch": "is in {} at the launch",
}
_TAGGED = {"member": "there at the launch, or added", "launch": "there at the launch"}

# fmt: off
KINDS = (
    TriggerKind(
        struct=OnAudience, title=lambda trigger: _JOINS[trigger.when].format(trigger.audience),
        fields=(
            Field("audience", forms.Listed("audience"), "Its name.", needed=True),
            Field("when", forms.Choice(get_args(AudienceChange)),
                "`entered` (usual), `left`, `member`: those who are in it when the flow starts, "
                "and those who join later; or `launch`: only those who are in it then. Of the "
                "last two, over audiences, tags and people, a flow has at most one."),
            AGAIN,
        ),
        about="An audience.",
        example="- audience: vip",
    ),
    TriggerKind(
        struct=OnTag,
        title=lambda trigger: f"tag {trigger.tag} is {_TAGGED.get(trigger.when, trigger.when)}",
        fields=(
            Field("tag", forms.Text(), "The tag.", needed=True),
            Field("when", forms.Choice(get_args(TagChange)),
                "`added` (usual), `removed`, `member`: those who have it when the flow starts, "
                "and those who get it later; or `launch`: only those who have it then."),
            AGAIN,
        ),
        about="A tag that is added to the user, or removed.",
        example="- tag: not_received",
    ),
    TriggerKind(
        struct=OnPeople, title="people of a list, at a launch",
        fields=(Field("people", forms.Mark(), "`true`.", "", needed=True), AGAIN),
        about="The people of a list: every `enter` record that names a `launch`, as `towpath "
        "launch` writes them. What else the list says of a user is `entry.`. A launch that comes "
        "again enters each user only once.",
        example="- people: true",
    ),
)
"""How these triggers are written, in the order of the reference."""
# fmt: on
