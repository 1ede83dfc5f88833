"""Steps that make requests: webhooks, exports, API calls, functions in the sandbox.

A session waits at a call until the answer arrives as a ``CallResult``. A host with a sandbox
answers code at once: the answer is handled at the same instant, after the signals raised before
it and before anything that is due later (R1).
"""

from __future__ import annotations

from typing import Final

from transforms.flows.catalog.compiled import ON_EXIT, CompiledStep
from transforms.flows.clock.delays import after
from transforms.flows.definitions.space import Template
from transforms.flows.definitions.steps.calls import CallApi, CallWebhook, ExportFields, RunCode
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.messages.template_data import add_user, captured, values_of
from transforms.flows.engine.steps.effects import (
    killed_by_switch,
    set_variables,
    withheld,
    withheld_or_killed,
)
from transforms.flows.engine.steps.logic import (
    ASKED,
    ENDS,
    WAITS,
    Exit,
    StepLogic,
    pause_timeout,
)
from transforms.flows.engine.steps.waits import rebased_due
from transforms.flows.engine.working import Session
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import CallResult
from transforms.flows.state.ids import short
from transforms.flows.state.limits import LARGEST
from transforms.flows.state.stored import Halt

CODE_BOUND: Final = 60_000
"""The maximum time for the answer of code, in ms."""

API_BOUND: Final = 3_600_000
"""The maximum time for the answer of an API if the step has no time-out, in ms."""

KILLED: Final = "the kill switch is on"
FAILED: Final = "call_failed"
NO_ANSWER: Final = "no answer in time"
TOO_LARGE: Final = "its answer is too large"
LONGEST_ERROR: Final = 200
DEEPEST: Final = 20


class WebhookLogic(StepLogic):
    """Send a request and continue (J9)."""

    def begin(self, ctx: Context, session: Session) -> int:
        node, plan = session.node, session.plan
        verb = node.verb
        assert isinstance(verb, CallWebhook)
        if withheld_or_killed(ctx, session):
            return node.then
        template = plan.templates.get(verb.template) if verb.template else None
        data = values_of(node.values[0], ctx.view_of(session))
        ctx.outputs.append(
            out.Webhook(
                id=ctx.next_session_output_id(session),
                user=ctx.user,
                at=ctx.now,
                flow=plan.id,
                version=plan.version,
                session=session.id,
                step=node.name,
                url=verb.url,
                method=verb.method,
                connection=verb.connection,
                headers=dict(verb.headers),
                template=verb.template,
                template_version=template.version if template is not None else None,
                data=_with_template(ctx, session, template, data),
            )
        )
        return node.then


class ExportLogic(StepLogic):
    """Export chosen fields to a destination and continue (L4, L10)."""

    def begin(self, ctx: Context, session: Session) -> int:
        node, plan = session.node, session.plan
        verb = node.verb
        assert isinstance(verb, ExportFields)
        if withheld_or_killed(ctx, session):
            return node.then
        ctx.outputs.append(
            out.Export(
                id=ctx.next_session_output_id(session),
                user=ctx.user,
                at=ctx.now,
                flow=plan.id,
                version=plan.version,
                session=session.id,
                step=node.name,
                destination=verb.destination,
                fields=values_of(node.values[0], ctx.view_of(session)),
                on_exit=node.name.startswith(ON_EXIT),
            )
        )
        return node.then


class CallLogic(StepLogic):
    """Base of steps that wait for an answer and can fail."""

    def on_time(self, ctx: Context, session: Session) -> Exit:
        session.awaiting_call = 0
        store_result(ctx, session, {}, NO_ANSWER)
        late = session.node.ports.get("timeout")
        if late is None:
            return failed(ctx, session, NO_ANSWER)
        return Exit(late, "timeout", changed=True)


class CallApiLogic(CallLogic):
    """Send a request and wait for its answer (P24).

    A silent session sends nothing but waits until the time-out (R19).
    """

    def begin(self, ctx: Context, session: Session) -> int:
        node, plan, now = session.node, session.plan, ctx.now
        verb = node.verb
        assert isinstance(verb, CallApi)
        silent = withheld(ctx, session)
        if not silent and killed_by_switch(ctx, session):
            store_result(ctx, session, {}, KILLED)
            ctx.emit_rejection("killed", plan.id, KILLED, node.name)
            return node.ports["error"] if "error" in node.ports else ctx.ends(FAILED)
        due = after(verb.timeout, now, ctx.zone_of(plan)) if verb.timeout else now + API_BOUND
        session.due = due
        if silent:
            return WAITS
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
                inputs=_with_template(ctx, session, template, data),
                method=verb.method,
                connection=verb.connection,
                headers=dict(verb.headers),
                template=verb.template,
                template_version=template.version if template is not None else None,
                store=dict(verb.store),
                expires=due,
            )
        )
        return WAITS

    def pause(self, ctx: Context, session: Session, halt: Halt) -> None:
        pause_timeout(ctx, session, halt)

    def rebase(self, ctx: Context, session: Session, before: CompiledStep) -> int | None:
        old, new = before.verb, session.node.verb
        assert isinstance(old, CallApi)
        assert isinstance(new, CallApi)
        return rebased_due(ctx, session, old.timeout, new.timeout, API_BOUND)


class RunCodeLogic(CallLogic):
    """Request a function's result, even in a silent session, because code has no effects (R19)."""

    def begin(self, ctx: Context, session: Session) -> int:
        node, plan = session.node, session.plan
        verb = node.verb
        assert isinstance(verb, RunCode)
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
        return ASKED


def answered(ctx: Context, session: Session, result: CallResult) -> Exit:
    """Store an answer; return how the session continues."""
    session.awaiting_call = 0
    error = "" if result.ok else (result.error or "it failed")[:LONGEST_ERROR]
    if not _plain(result.result, 0) or not store_result(ctx, session, result.result, error):
        error = TOO_LARGE
        store_result(ctx, session, {}, error)
    return failed(ctx, session, error) if error else Exit(session.node.then, changed=True)


def failed(ctx: Context, session: Session, error: str) -> Exit:
    """Write the error as a rejection (R7); take the branch ``error``, or end the session."""
    node = session.node
    if not session.silent:
        ctx.emit_rejection(FAILED, session.plan.id, error, node.name)
    return Exit(node.ports.get("error", ENDS), FAILED, changed=True)


def store_result(ctx: Context, session: Session, result: Data, error: str) -> bool:
    """Store an answer in the variable named like the step; return False if it is too large."""
    stored = result | {"error": error} if error else result
    return set_variables(ctx, session, session.variables | {session.node.name: stored})


def _plain(value: object, depth: int) -> bool:
    """Return True if all record formats can hold a value: 64-bit whole numbers, limited depth."""
    match value:
        case dict():
            return depth < DEEPEST and all(_plain(inner, depth + 1) for inner in value.values())
        case list():
            return depth < DEEPEST and all(_plain(inner, depth + 1) for inner in value)
        case int():
            return -LARGEST <= value <= LARGEST
        case _:
            return True


def _with_template(ctx: Context, session: Session, template: Template | None, data: Data) -> Data:
    """Add to the named data what the template of a body reads."""
    if template is None:
        return data
    roots = captured(session.plan, session, template, data)
    add_user(ctx, session.plan, template, roots)
    return roots


LOGIC: Final[dict[type, StepLogic]] = {
    CallWebhook: WebhookLogic(),
    ExportFields: ExportLogic(),
    CallApi: CallApiLogic(),
    RunCode: RunCodeLogic(),
}
