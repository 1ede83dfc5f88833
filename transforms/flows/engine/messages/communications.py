"""Stores communications, writes their status rows, and notifies triggers of them."""

from __future__ import annotations

from transforms.flows.catalog.compiled import CompiledStep, Plan
from transforms.flows.definitions.steps.branches import Split
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.working import Session
from transforms.flows.protocol.outputs import Communication as CommunicationRow
from transforms.flows.protocol.signals import CommunicationUpdate
from transforms.flows.state.sent_archive import KEPT, MONTH, archive
from transforms.flows.state.stored import Communication


def remember(ctx: Context, plan: Plan, sent: Communication) -> None:
    """Store a communication: a planned or awaited one always, at most 100 others for 30 days."""
    state = ctx.state
    if sent.due is None and sent.step not in plan.awaited_sends:
        if state.communications:
            forget(ctx, sent)
        archive(state.sent_archive, sent, ctx.now)
        return
    edge, old, others = ctx.now - MONTH, False, []
    for known in state.communications:
        if known is not sent:
            old = old or known.changed <= edge
            others.append(known)
    if old or len(others) >= KEPT:
        others = _needed(ctx, others, edge)
    others.append(sent)
    state.communications = others


def _needed(ctx: Context, others: list[Communication], edge: int) -> list[Communication]:
    """Drop the oldest communications, except planned ones and those that a session may read."""
    asked = {
        session.sent.get(number)
        for session in ctx.state.sessions
        for number in session.plan.awaited_sends
    }
    fixed = {c.id for c in others if c.due is not None or c.id in asked}
    others = [c for c in others if c.id in fixed or c.changed > edge]
    over = max(0, len(others) + 1 - KEPT)
    gone = {c.id for c in [c for c in others if c.id not in fixed][:over]}
    return [c for c in others if c.id not in gone]


def facts(plan: Plan, node: CompiledStep, sent: Communication) -> Data:
    """Return what triggers read of a message: ids, names, and the reported data."""
    found: Data = dict(sent.facts.get("data", {}))
    found |= {"id": sent.id, "flow": plan.id, "name": node.name}
    return found | {"channel": sent.channel, "status": sent.status}


def notify_triggers(ctx: Context, plan: Plan, node: CompiledStep, sent: Communication) -> None:
    """Raise a status that the core decided, if a trigger reads statuses (C9, C10).

    Messages of silent sessions raise nothing (R19).
    """
    if ctx.epoch.by_communication and not sent.silent:
        data = facts(plan, node, sent)
        name = ctx.next_output_id()
        change = CommunicationUpdate(
            id=name,
            user=ctx.user,
            time=ctx.now,
            communication=sent.id,
            status=sent.status,
            data=data,
        )
        ctx.enqueue(change)


def forget(ctx: Context, sent: Communication) -> None:
    """Forget a communication."""
    ctx.state.communications = [c for c in ctx.state.communications if c.id != sent.id]


def end_hold(ctx: Context, sent: Communication) -> None:
    """Let a session go on that waits for a message which is not planned any more."""
    for session in ctx.state.sessions:
        waits = session.id == sent.session and session.step == sent.step
        newest = session.sent.get(sent.step) == sent.id
        if waits and newest and session.due is not None and session.halt is None:
            session.due = ctx.now


def discard(ctx: Context, sent: Communication, status: str, reason: str) -> None:
    """Write that a planned message is not sent, as ``skipped`` or ``canceled``, and forget it."""
    plan = ctx.catalog.plans[sent.flow, sent.version]
    sent.status, sent.due, sent.changed = status, None, ctx.now
    log_status(ctx, plan, plan.steps[sent.step], sent, reason=reason)
    forget(ctx, sent)
    end_hold(ctx, sent)


def log_status(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    sent: Communication,
    *,
    reason: str | None = None,
    due: int | None = None,
    data: Data | None = None,
    name: str | None = None,
    reported: float | None = None,
) -> None:
    """Write one row of a communication. The row's id is its id, the status, the time and attempt.

    A status from outside can come twice at one instant, so its row gets an id from its signal.
    """
    verb = node.verb
    assert isinstance(verb, Send)
    if name is None:
        attempt = sent.facts.get("attempt", 1)
        name = f"{sent.id}-{sent.status}-{ctx.now}" + (f"-{attempt}" if attempt > 1 else "")
    ctx.outputs.append(
        CommunicationRow(
            name,
            ctx.user,
            ctx.now,
            plan.id,
            plan.version,
            sent.session,
            node.name,
            sent.id,
            sent.status,
            sent.channel,
            verb.template,
            reason,
            verb.topic,
            sent.variant,
            due,
            None,
            None,
            data or {},
            reported,
            sent.silent,
        )
    )


def variants_of(plan: Plan, session: Session) -> tuple[str, ...]:
    """Return the assigned branches of a session as ``step=branch``, in order of assignment."""
    found = []
    for number, index in session.variants.items():
        node = plan.steps.get(number)
        if node is not None and isinstance(node.verb, Split):
            found.append(f"{node.name}={node.verb.branches[index].name}")
    return tuple(found)
