"""What becomes of a communication: a status from outside, or the end of what is planned (R14)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from transforms.flows import model
from transforms.flows import outputs as out
from transforms.flows.codec import encoded_size
from transforms.flows.plan import Node, Plan
from transforms.flows.run import Data, Run
from transforms.flows.sending import drop, write
from transforms.flows.shelf import shelve, take_down
from transforms.flows.signals import CommunicationUpdate, ProfileChange
from transforms.flows.state import Communication, Session

FINAL = frozenset("completed no_response failed bounced canceled skipped expired unknown".split())
PASSING = frozenset("planned active sent delivered read opened clicked replied".split())
KNOWN = FINAL | PASSING | {"unsubscribed"}
DATA_BOUND = 4 * 1024


def take_status(run: Run, change: CommunicationUpdate, t: int) -> bool:
    """Take in a communication's new status; tell whether it is known.

    A planned one that came to a final status does not leave any more.
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
    assert isinstance(verb, model.Send)
    data = _note(run, plan, node, found, change, t)
    if change.status == "unsubscribed":
        _unsubscribe(run, found.channel, verb.topic, t)
    elif found.status not in FINAL:
        found.status = change.status
    if found.due is not None and change.status in FINAL:
        found.due, found.data = None, {}
    found.changed = t
    session = next((s for s in run.state.sessions if s.id == found.session), None)
    row = msgspec.structs.replace(found, status=change.status)
    write(run, plan, node, row, session, t, data=data, name=run.other_id())
    if past is not None:
        shelve(run.state, past, t)
    return True


def _note(
    run: Run, plan: Plan, node: Node, found: Communication, change: CommunicationUpdate, t: int
) -> Data:
    """Remember when a status came, and its data up to 4 KB in all; return the data taken."""
    if change.status in KNOWN:
        found.facts = found.facts | {change.status: t}
    if not change.data:
        return {}
    joined = found.facts.get("data", {}) | change.data
    if encoded_size(joined) > DATA_BOUND:
        run.reject("value_too_large", t, plan.id, "communication", node.name)
        return {}
    found.facts = found.facts | {"data": joined}
    return change.data


def _unsubscribe(run: Run, channel: str, topic: str | None, t: int) -> None:
    """Withdraw consent for the communication's topic on its channel, or for the channel."""
    consent = {f"{channel}:{topic}" if topic else channel: False}
    run.state.consent.update(consent)
    name = run.other_id()
    run.outputs.append(out.ProfileUpdate(id=name, user=run.user, at=t, consent=consent))
    run.raise_(ProfileChange(id=name, user=run.user, time=t, consent=consent))


def cancel_planned(run: Run, session: Session, t: int) -> None:
    """Cancel what a session has planned, except steps that say ``keep`` (R14)."""
    _cancel(run, lambda sent: sent.session == session.id, session, "session_ended", t)


def cancel_flow(run: Run, flow: int | None, reason: str, t: int) -> None:
    """Cancel what all sessions of a flow have planned, also those that are over, at its stop."""
    _cancel(run, lambda sent: sent.flow == flow, None, reason, t)


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
        assert isinstance(node.verb, model.Send)
        if not node.verb.keep:
            sent.status, sent.due, sent.changed = "canceled", None, t
            write(run, plan, node, sent, session, t, reason=reason)
            drop(run, sent)
