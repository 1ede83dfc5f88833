"""Steps that start and end sessions."""

from __future__ import annotations

from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, StepKind
from transforms.flows.definitions.values import Named, Value


class Enroll(Value, frozen=True, gc=False, tag="enroll"):
    """Enter the user into another flow, with data (C18, J8)."""

    flow: str
    data: Named = ()


class Leave(Value, frozen=True, gc=False, tag="leave"):
    """End the user's other sessions of these flows."""

    flows: tuple[str, ...]


class End(Value, frozen=True, gc=False, tag="end"):
    """End the session with a reason (C21)."""

    reason: str = "completed"


FlowSteps = Enroll | Leave | End

# fmt: off
KINDS = (
    StepKind(
        struct=Enroll, box="effect", caption="Enroll",
        fields=(
            Field("enroll", forms.FlowName(), "The flow.", "flow", needed=True, shown="{}"),
            Field("with", forms.Named(), "Its data there, `entry.`, as expressions.", "data"),
        ),
        about="Enters the user into another flow, which has a trigger `flow` for this one, or "
        "`api`. The session goes on; the other begins when it has reached its next wait or its "
        "end.",
        example="hand_over: {enroll: second_purchase, with: {value: entry.value}}",
    ),
    StepKind(
        struct=Leave, box="effect", caption="Leave",
        fields=(
            Field("leave", forms.ListOf(forms.FlowName(), "leaves no flow"), "The flows.", "flows",
                needed=True, shown="{}"),
        ),
        about="Ends the user's sessions of other flows with the reason `unenrolled`, when this "
        "one has reached its next wait or its end; also other sessions of its own flow.",
        example="stop_offers: {leave: [win_back, vip]}",
    ),
    StepKind(
        struct=End, box="end", caption="End", goes_on="ends",
        fields=(
            Field("end", forms.Name("a reason"), "The reason, a name of your own.", "reason",
                needed=True, shown="{}"),
        ),
        about="Ends the session.",
        example="over: {end: reminded}",
    ),
)
"""How these steps are written, in the order of the reference."""
# fmt: on
