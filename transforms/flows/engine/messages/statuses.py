"""What becomes of a communication: a status from outside, or the end of what is planned (R14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from transforms.flows.catalog.compiled import ON_EXIT, Plan
from transforms.flows.definitions.verbs import Send
from transforms.flows.engine.context import Run
from transforms.flows.engine.messages.communications import about, drop, put_away, tell, write
from transforms.flows.engine.messages.delivery_reports import note
from transforms.flows.engine.messages.plan import fail_over
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import CommunicationUpdate, ProfileChange
from transforms.flows.state.sent_archive import look_through, put_back, shelve, take_down
from transforms.flows.state.stored import Communication
from transforms.flows.state.working import Session

FAILED: Final = frozenset(("failed", "bounced"))
FINAL: Final = frozenset(
    "completed no_response failed bounced canceled skipped expired unknown".split()
)
PASSING: Final = frozenset("planned active sent delivered read opened clicked replied".split())
KNOWN: Final = FINAL | PASSING | {"unsubscribed"}
ARRIVED: Final = frozenset("delivered read opened clicked replied".split())
UNDERWAY: Final = frozenset(("active", "sent"))
"""Statuses of what the worker may still be able to take back."""


def take_status(run: Run, change: CommunicationUpdate, t: int) -> bool:
    """Take in a communication's new status; tell whether it is known.

    A planned one that came to a final status does not leave any more. Of one that failed and
    goes on by another channel nobody hears (R15).
    """
    name = change.communication
    found = next((c for c in run.state.communications if c.id == name), None)
    past = take_down(run.state, name) if found is None else None
    found = found or past
    if found is None:
        run.reject("unknown_communication", t, detail=change.communication)
        return False
    plan = run.catalog.plans[found.flow, found.version]
    node = plan.nodes[found.step]
    verb = node.verb
    assert isinstance(verb, Send)
    if change.status in KNOWN:
        found.facts = found.facts | {change.status: t}
    data, reported = note(run, plan, node, found, change, t)
    goes_on = found.status != "planned" or "attempt" in found.facts
    loaded = change.bypass or change.backfill  # history sends nothing (R10)
    fails = (
        bool(verb.failover)
        and change.status in FAILED
        and found.status not in FINAL
        and goes_on
        and not loaded
    )
    ends = change.status in FINAL and found.status not in FINAL
    if change.status == "unsubscribed":
        _unsubscribe(run, found.channel, verb.topic, t)
    elif found.status not in FINAL:
        found.status = change.status
    if change.status in FINAL or (change.status in ARRIVED and goes_on):
        found.due, found.data = None, found.data if fails else {}
    found.changed = t
    if run.era.told:
        run.told = about(plan, node, found) | {"status": change.status, "ended": ends}
    session = next((s for s in run.state.sessions if s.id == found.session), None)
    row = msgspec.structs.replace(found, status=change.status)
    name = run.other_id()
    write(run, plan, node, row, session, t, data=data, name=name, reported=reported)
    if fails and fail_over(run, plan, node, found, session, t):
        return False
    if fails:
        found.data = {}
    if past is not None:
        shelve(run.state, past, t)
    return True


def _unsubscribe(run: Run, channel: str, topic: str | None, t: int) -> None:
    """Withdraw consent for the communication's topic on its channel, or for the channel."""
    consent = {f"{channel}:{topic}" if topic else channel: False}
    run.state.consent.update(consent)
    name = run.other_id()
    run.outputs.append(out.ProfileUpdate(id=name, user=run.user, at=t, consent=consent))
    run.raise_(ProfileChange(id=name, user=run.user, time=t, consent=consent))


def restay(run: Run, t: int) -> None:
    """Let planned messages of paused flows and held sessions stay, and the others be judged (R14).

    What was due meanwhile is due now.
    """
    halted = {session.id for session in run.state.sessions if session.halt is not None}
    for sent in run.state.communications:
        if sent.due is not None:
            stays = sent.flow in run.era.paused or sent.session in halted
            if sent.stays and not stays:
                sent.due = max(sent.due, t)
            sent.stays = stays


def give_up(run: Run, meant: Callable[[Communication], bool], t: int) -> None:
    """Skip planned messages that were due while they stayed: at a resume that skips (R26)."""
    for sent in run.state.communications:
        late = sent.status == "planned" and sent.stays and sent.due is not None and sent.due < t
        if late and meant(sent):
            plan = run.catalog.plans[sent.flow, sent.version]
            node = plan.nodes[sent.step]
            owner = next((s for s in run.state.sessions if s.id == sent.session), None)
            put_away(run, sent, owner, t, "skipped", "missed")
            tell(run, plan, node, sent, t)


def cancel_planned(run: Run, session: Session, t: int) -> None:
    """Cancel what a session has planned, except steps that say ``keep`` (R14)."""
    _cancel(run, lambda sent: sent.session == session.id, session, "session_ended", t)


def cancel_flow(run: Run, flow: int | None, reason: str, t: int) -> None:
    """Cancel what all sessions of a flow have planned, also those that are over, at its stop."""
    _cancel(run, lambda sent: sent.flow == flow, None, reason, t)


def cancel_key(run: Run, flow: int | None, key: str | None, t: int) -> None:
    """Cancel what sessions of a flow and a key have planned, also those that are over (P22).

    None means all flows, or all keys. What ``on_exit`` planned stays (R14).
    """

    def meant(sent: Communication) -> bool:
        if flow not in (None, sent.flow) or key not in (None, sent.key):
            return False
        node = run.catalog.plans[sent.flow, sent.version].nodes[sent.step]
        return not node.name.startswith(ON_EXIT)

    _cancel(run, meant, None, "stopped", t)


def cancel_all(run: Run, plan: Plan, session: Session, t: int) -> None:
    """Cancel all planned and active messages of a flow to this user, by a step of it (C16).

    Also those of its other sessions and versions, and those that would be kept at an exit; in
    a campaign, those of all its flows.
    """
    flows, state = _together(run, plan), run.state
    for sent in list(state.communications):
        if sent.flow in flows and _open(sent):
            if sent.status == "planned":
                drop(run, sent)
            _call_off(run, sent, session, t)
    for sent in look_through(state):
        if sent.flow in flows and _open(sent):
            _call_off(run, sent, session, t)
            put_back(state, sent)


def _together(run: Run, plan: Plan) -> tuple[int, ...]:
    if plan.campaign is None:
        return (plan.number,)
    of = (view.plan for view in run.era.flows)
    return (plan.number, *(p.number for p in of if p.campaign == plan.campaign))


def _open(sent: Communication) -> bool:
    return sent.due is not None or sent.status in UNDERWAY


def _call_off(run: Run, sent: Communication, session: Session, t: int) -> None:
    """Say that a message is canceled; of one that left the worker is asked to take it back."""
    plan = run.catalog.plans[sent.flow, sent.version]
    if sent.status != "planned":
        name = run.session_id(session)
        order = out.Cancel(
            id=name, user=run.user, at=t, communication=sent.id, reason="canceled_by_step"
        )
        run.outputs.append(order)
    sent.status, sent.due, sent.changed, sent.data = "canceled", None, t, {}
    owner = next((s for s in run.state.sessions if s.id == sent.session), None)
    node = plan.nodes[sent.step]
    write(run, plan, node, sent, owner, t, reason="canceled_by_step")
    tell(run, plan, node, sent, t)


def _cancel(
    run: Run,
    meant: Callable[[Communication], bool],
    session: Session | None,
    reason: str,
    t: int,
) -> None:
    for sent in run.state.communications:
        if sent.due is None or not meant(sent):
            continue
        plan = run.catalog.plans[sent.flow, sent.version]
        node = plan.nodes[sent.step]
        assert isinstance(node.verb, Send)
        if not node.verb.keep and sent.status != "planned":
            sent.due = None
        elif not node.verb.keep:
            put_away(run, sent, session, t, "canceled", reason)
            tell(run, plan, node, sent, t)
