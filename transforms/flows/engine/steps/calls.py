"""Steps that ask: a function for the host's sandbox, a request for the delivery worker (section 4).

The session then stands at the step until the answer comes as a ``CallResult``, see ``answering``.
A host that has a sandbox answers code at once: the answer is handled at the same instant, after
what was raised before it, and before anything that is due later (R1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from transforms.flows.clock.elapsing import after
from transforms.flows.definitions.steps.calls import CallApi, RunCode
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.limits import fits
from transforms.flows.engine.messages.template_data import values_of
from transforms.flows.engine.steps.effects import VARIABLES_BOUND, with_template, withheld
from transforms.flows.engine.working import Session
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import CallResult
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.ids import short

Answer = Callable[[out.Call, str], CallResult]
"""A host's sandbox: it runs a function on a call's inputs, always to the same result."""

CODE_BOUND: Final = 60_000
"""How long a host may take to answer what it should answer at once, ms."""

API_BOUND: Final = 3_600_000
"""How long an answer is awaited where the step does not say, ms."""

KILLED: Final = "the kill switch is on"


def run_code(ctx: Context, session: Session, verb: RunCode) -> None:
    """Ask for a function's result; also in a silent session, since it has no effect (R19)."""
    node = session.node
    plan = session.plan
    view = ctx.view_of(session)
    inputs = {name: value(view) for name, value in node.values[0]}
    name = ctx.next_session_output_id(session)
    session.awaiting_call, session.due = session.count, ctx.now + CODE_BOUND
    call = out.Call(
        id=name,
        user=ctx.user,
        at=ctx.now,
        flow=plan.id,
        version=plan.version,
        session=session.id,
        step=node.name,
        kind="code",
        target=short(verb.source).hex(),
        inputs=inputs,
        expires=session.due,
    )
    ctx.outputs.append(call)
    if ctx.answer is not None:
        ctx.enqueue(ctx.answer(call, verb.source), applied=False)


def call_api(ctx: Context, session: Session, verb: CallApi) -> bool:
    """Ask for a request, and wait; tell whether the session does: not where the switch is on.

    A silent session asks for nothing, and waits as long (R19).
    """
    node = session.node
    plan = session.plan
    now = ctx.now
    silent = withheld(ctx, session)
    if not silent and ctx.epoch.kill_switches and ctx.epoch.killed(plan.number, None):
        store_result(ctx, session, {}, KILLED)
        return False
    due = after(verb.timeout, now, ctx.zone_of(plan)) if verb.timeout else now + API_BOUND
    session.due = due
    if silent:
        return True
    template = plan.templates.get(verb.template) if verb.template else None
    data = values_of(node.values[0], ctx.view_of(session))
    name = ctx.next_session_output_id(session)
    session.awaiting_call = session.count
    ctx.outputs.append(
        out.Call(
            id=name,
            user=ctx.user,
            at=now,
            flow=plan.id,
            version=plan.version,
            session=session.id,
            step=node.name,
            kind="api",
            target=verb.url,
            inputs=with_template(ctx, session, template, data),
            method=verb.method,
            connection=verb.connection,
            headers=dict(verb.headers),
            template=verb.template,
            template_version=template.version if template is not None else None,
            store=dict(verb.store),
            expires=due,
        )
    )
    return True


def store_result(ctx: Context, session: Session, result: Data, error: str) -> bool:
    """Put an answer into the variable that has the step's name; tell whether it fits (section 9)."""
    node = session.node
    found = result | {"error": error} if error else result
    joined = session.variables | {node.name: found}
    size = encoded_size(joined)
    more = size - encoded_size(session.variables)
    if size > VARIABLES_BOUND or (more > 0 and not fits(ctx.state, more)):
        return False
    session.variables = joined
    ctx.invalidate_view()
    return True
