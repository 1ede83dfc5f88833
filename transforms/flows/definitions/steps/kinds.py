"""The closed union of all steps, and how each is written."""

from __future__ import annotations

from transforms.flows.definitions.shapes import StepKind
from transforms.flows.definitions.steps import branches, calls, flows, sends, updates, waits
from transforms.flows.definitions.steps.branches import Branches
from transforms.flows.definitions.steps.calls import Calls
from transforms.flows.definitions.steps.flows import FlowSteps
from transforms.flows.definitions.steps.sends import Sends
from transforms.flows.definitions.steps.updates import Updates
from transforms.flows.definitions.steps.waits import Waits
from transforms.flows.definitions.values import Value

Verb = Waits | Branches | Sends | Calls | Updates | FlowSteps


class Step(Value, frozen=True, gc=False, tag="step"):
    """A named step. ``then`` None: the session ends here (C21)."""

    name: str
    verb: Verb
    then: str | None = None


STEP_KINDS: tuple[StepKind, ...] = (
    *waits.KINDS,
    *branches.KINDS,
    *sends.KINDS,
    *calls.KINDS,
    *updates.KINDS,
    *flows.KINDS,
)
"""How each step is written, in the order of the reference."""
