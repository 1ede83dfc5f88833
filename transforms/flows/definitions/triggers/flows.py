"""Triggers on entries from outside and from other flows."""

from __future__ import annotations

from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, TriggerKind
from transforms.flows.definitions.values import AGAIN, Reenter, Value, where
from transforms.flows.expressions.syntax.ast import Expr


class OnEnter(Value, frozen=True, gc=False, tag="enter"):
    """Enter by an ``Enter`` signal: the Flow API, a launch, an upload, another flow (I9)."""

    where: Expr | None = None
    reenter: Reenter | None = None


class OnFlow(Value, frozen=True, gc=False, tag="from_flow"):
    """Enter when another flow enrolls the user (C12)."""

    flow: str
    where: Expr | None = None
    reenter: Reenter | None = None


EntryTriggers = OnEnter | OnFlow

_ON_ENTRY = forms.Condition(roots=("entry",))

# fmt: off
KINDS = (
    TriggerKind(
        struct=OnEnter, title="by the Flow API",
        fields=(
            Field("api", forms.Mark(), "`true`.", "", needed=True),
            where("A condition on the record's data, which is `entry.`.", _ON_ENTRY),
            AGAIN,
        ),
        about="An `enter` record: from an interface, a launch, an upload, or an `enroll` of any "
        "flow.",
        example="- api: true\n  where: entry.value > 0",
    ),
    TriggerKind(
        struct=OnFlow, title="from {flow}",
        fields=(
            Field("flow", forms.FlowName(), "The flow that enrolls.", needed=True),
            where("A condition on the data that it gives, which is `entry.`.", _ON_ENTRY),
            AGAIN,
        ),
        about="Another flow, which enrolls the user in this one.",
        example="- flow: welcome\n  where: entry.value > 0",
    ),
)
"""How these triggers are written, in the order of the reference."""
# fmt: on
