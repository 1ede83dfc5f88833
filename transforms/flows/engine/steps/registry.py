"""The logic of every step, by the type of its definition."""

from __future__ import annotations

from typing import Final

from transforms.flows.engine.steps import branches, calls, flows, sends, updates, wait_for, waits
from transforms.flows.engine.steps.logic import StepLogic

LOGIC: Final[dict[type, StepLogic]] = {
    **waits.LOGIC,
    **wait_for.LOGIC,
    **branches.LOGIC,
    **sends.LOGIC,
    **calls.LOGIC,
    **updates.LOGIC,
    **flows.LOGIC,
}
