"""Statuses of communications: reported from outside, or canceled before they leave (R14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from transforms.flows.catalog.compiled import ON_EXIT, Plan
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.messages.communications import (
    discard,
    end_hold,
    facts,
    forget,
    log_status,
    notify_triggers,
)
from transforms.flows.engine.messages.delivery_reports import take_report
from transforms.flows.engine.messages.sending import fail_over
from transforms.flows.engine.working import Session
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import FINAL_STATUSES, CommunicationUpdate, ProfileChange
from transforms.flows.state.sent_archive import archive, archived, pop, replace
from transforms.flows.state.stored import Communication

FAILED: Final = frozenset(("failed", "bounced"))
PASSING: Final = frozenset("planned active sent delivered read opened clicked replied".split())
KNOWN: Final = FINAL_STATUSES | PASSING | {"unsubscribed"}
ARRIVED: Final = frozenset("delivered read opened clicked replied".split())
UNDERWAY: Final = frozenset(("active", "sent"))
"""Statuses of messages that the sender may still be able to cancel."""


def apply_status(ctx: Context, change: CommunicationUpdate) -> bool:
    """Apply a new status to a communication; return True if flows should see it.

    A planned communication with a final status is not sent any more. Flows do not see the failure
    of a communication that continues on another channel, or the status of an unknown one; a final
    status of an earlier attempt changes nothing (R15).
    """
    now = ctx.now
    name = change.communication
    found = next((c for c in ctx.state.communications if c.id == name), None)
    past = pop(ctx.state.sent_archive, name) if found is None else None
    found = found or past
    if found is None:
        ctx.emit_rejection("unknown_communication", detail=change.communication)
        return False
    plan = ctx.catalog.plans[found.flow, found.version]
    node = plan.steps[found.step]
    verb = node.verb
    assert isinstance(verb, Send)
    if change.status in KNOWN:
        found.facts = found.facts | {change.status: now}
    data, reported = take_report(ctx, plan, node, found, change)
    earlier = _earlier(found, change.attempt)
    if change.status in FINAL_STATUSES and earlier is not None:
        found.changed = now
        _log(ctx, found, change.status, data, reported, earlier)
        _archive_again(ctx, past)
        return False
    goes_on = found.status != "planned" or "attempt" in found.facts
    loaded = change.bypass or change.backfill  # history sends nothing (R10)
    fails = (
        bool(verb.failover)
        and change.status in FAILED
        and found.status not in FINAL_STATUSES
        and goes_on
        and not loaded
    )
    ends = change.status in FINAL_STATUSES and found.status not in FINAL_STATUSES
    if change.status == "unsubscribed":
        _unsubscribe(ctx, found.channel, verb.topic)
    elif found.status not in FINAL_STATUSES:
        found.status = change.status
    if change.status in FINAL_STATUSES or (change.status in ARRIVED and goes_on):
        found.due, found.data = None, found.data if fails else {}
    if ends:
        end_hold(ctx, found)
    found.changed = now
    if ctx.epoch.by_communication:
        ctx.handling.status_facts = facts(plan, node, found) | {
            "status": change.status,
            "ended": ends,
        }
    session = next((s for s in ctx.state.sessions if s.id == found.session), None)
    _log(ctx, found, change.status, data, reported, earlier)
    if fails and fail_over(ctx, plan, node, found, session):
        return False
    if fails:
        found.data = {}
    _archive_again(ctx, past)
    return True


def _earlier(found: Communication, attempt: int) -> str | None:
    """Return the channel of an attempt before the current one; 0 is the attempt sent last.

    States from before the channels were stored have the number of attempts alone.
    """
    current, channels = found.facts.get("attempt", 1), found.facts.get("earlier", ())
    if current == 1:
        return None
    attempt = attempt or current - (found.status == "planned")
    if attempt >= current:
        return None
    return channels[attempt - 1] if attempt <= len(channels) else found.channel


def _log(
    ctx: Context,
    found: Communication,
    status: str,
    data: Data,
    reported: float | None,
    channel: str | None = None,
) -> None:
    """Write the row of a reported status; ``channel`` is that of an earlier attempt."""
    plan = ctx.catalog.plans[found.flow, found.version]
    row = msgspec.structs.replace(found, status=status, channel=channel or found.channel)
    name = ctx.next_output_id()
    log_status(ctx, plan, plan.steps[found.step], row, data=data, name=name, reported=reported)


def _archive_again(ctx: Context, past: Communication | None) -> None:
    if past is not None:
        archive(ctx.state.sent_archive, past, ctx.now)


def _unsubscribe(ctx: Context, channel: str, topic: str | None) -> None:
    """Withdraw consent for the communication's topic on its channel, or for the channel."""
    consent = {f"{channel}:{topic}" if topic else channel: False}
    ctx.state.consent.update(consent)
    name = ctx.next_output_id()
    ctx.outputs.append(out.ProfileUpdate(id=name, user=ctx.user, at=ctx.now, consent=consent))
    change = ProfileChange(id=name, user=ctx.user, time=ctx.now, consent=consent)
    ctx.enqueue(change, applied=False)  # audiences may read consent


def refresh_holds(ctx: Context) -> None:
    """Hold planned messages of paused flows and held sessions, and release the others (R14).

    A released message that came due while it was on hold is due now.
    """
    halted = {session.id for session in ctx.state.sessions if session.halt is not None}
    for sent in ctx.state.communications:
        if sent.due is not None:
            stays = sent.flow in ctx.epoch.paused or sent.session in halted
            if sent.on_hold and not stays:
                sent.due = max(sent.due, ctx.now)
            sent.on_hold = stays


def skip_overdue(ctx: Context, meant: Callable[[Communication], bool]) -> None:
    """Skip planned messages that came due while they were on hold (R26)."""
    for sent in ctx.state.communications:
        late = (
            sent.status == "planned"
            and sent.on_hold
            and sent.due is not None
            and sent.due < ctx.now
        )
        if late and meant(sent):
            plan = ctx.catalog.plans[sent.flow, sent.version]
            node = plan.steps[sent.step]
            discard(ctx, sent, "skipped", "missed")
            notify_triggers(ctx, plan, node, sent)


def cancel_planned(ctx: Context, session: Session) -> None:
    """Cancel a session's planned messages, except of steps with ``keep`` (R14)."""
    _cancel(ctx, lambda sent: sent.session == session.id, "session_ended")


def cancel_flow(ctx: Context, flow: int | None, reason: str) -> None:
    """Cancel all planned messages of a flow at its stop, even of ended sessions."""
    _cancel(ctx, lambda sent: sent.flow == flow, reason)


def cancel_key(ctx: Context, flow: int | None, key: str | None) -> None:
    """Cancel planned messages of sessions with a flow and a key, even of ended ones (P22).

    None means all flows, or all keys. Messages of ``on_exit`` steps stay planned (R14).
    """

    def meant(sent: Communication) -> bool:
        if flow not in (None, sent.flow) or key not in (None, sent.key):
            return False
        node = ctx.catalog.plans[sent.flow, sent.version].steps[sent.step]
        return not node.name.startswith(ON_EXIT)

    _cancel(ctx, meant, "stopped")


def cancel_all(ctx: Context, session: Session) -> None:
    """Cancel all planned and active messages to this user of the flow that runs the step (C16).

    This includes messages of its other sessions and versions, and of steps with ``keep``. In a
    campaign, it includes messages of all its flows.
    """
    flows, state = _together(ctx, session.plan), ctx.state
    for sent in list(state.communications):
        if sent.flow in flows and _open(sent):
            if sent.status == "planned":
                forget(ctx, sent)
                end_hold(ctx, sent)
            _call_off(ctx, sent, session)
    for sent in archived(state.sent_archive):
        if sent.flow in flows and _open(sent):
            _call_off(ctx, sent, session)
            replace(state.sent_archive, sent)


def _together(ctx: Context, plan: Plan) -> tuple[int, ...]:
    if plan.campaign is None:
        return (plan.number,)
    of = (view.plan for view in ctx.epoch.flows)
    return (plan.number, *(p.number for p in of if p.campaign == plan.campaign))


def _open(sent: Communication) -> bool:
    return sent.due is not None or sent.status in UNDERWAY


def _call_off(ctx: Context, sent: Communication, session: Session) -> None:
    """Write that a message is canceled; if it was sent, ask the sender to cancel it."""
    plan = ctx.catalog.plans[sent.flow, sent.version]
    if sent.status != "planned":
        name = ctx.next_session_output_id(session)
        request = out.Cancel(
            id=name, user=ctx.user, at=ctx.now, communication=sent.id, reason="canceled_by_step"
        )
        ctx.outputs.append(request)
    sent.status, sent.due, sent.changed, sent.data = "canceled", None, ctx.now, {}
    node = plan.steps[sent.step]
    log_status(ctx, plan, node, sent, reason="canceled_by_step")
    notify_triggers(ctx, plan, node, sent)


def _cancel(
    ctx: Context,
    meant: Callable[[Communication], bool],
    reason: str,
) -> None:
    for sent in ctx.state.communications:
        if sent.due is None or not meant(sent):
            continue
        plan = ctx.catalog.plans[sent.flow, sent.version]
        node = plan.steps[sent.step]
        assert isinstance(node.verb, Send)
        if not node.verb.keep and sent.status != "planned":
            sent.due = None
        elif not node.verb.keep:
            discard(ctx, sent, "canceled", reason)
            notify_triggers(ctx, plan, node, sent)
