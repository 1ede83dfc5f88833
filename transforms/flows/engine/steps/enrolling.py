"""From one flow to another: both ways are signals, handled at this instant in their order (C18).

So a step that leaves a flow before it enrolls in it again begins there anew, and no session ends
in the middle of its own steps. A silent session does neither (R19).
"""

from __future__ import annotations

from transforms.flows.catalog.compiled import Node, Plan
from transforms.flows.definitions.verbs import Enroll, Leave
from transforms.flows.engine.context import Run
from transforms.flows.engine.messages.template_data import values_of
from transforms.flows.engine.steps.effects import withheld
from transforms.flows.protocol.signals import Command, Enter
from transforms.flows.state.working import Session


def enroll(run: Run, plan: Plan, session: Session, node: Node, verb: Enroll, t: int) -> None:
    """Raise the entry into another flow, with data."""
    if withheld(run, plan, session, node, t):
        return
    data = values_of(node.values[0], run.look(t, plan, session))
    name = run.session_id(session)
    entry = Enter(id=name, user=run.user, time=t, flow=verb.flow, data=data)
    run.raise_(entry, applied=False, flow=plan.id)


def leave_flows(run: Run, plan: Plan, session: Session, node: Node, verb: Leave, t: int) -> None:
    """Raise the end of the user's other sessions of flows."""
    if withheld(run, plan, session, node, t):
        return
    for flow in verb.flows:
        name = run.session_id(session)
        order = Command(id=name, user=run.user, time=t, what="stop", flow=flow)
        run.raise_(order, applied=False, flow=plan.id)
