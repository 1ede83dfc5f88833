"""Steps that start and end sessions."""

from __future__ import annotations

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
