"""Communications: planned by a step, judged when due, in the order of R14."""

from __future__ import annotations

from transforms.flows.catalog.compiled import Node, Plan
from transforms.flows.clock.elapsing import after
from transforms.flows.clock.schedules import resolve
from transforms.flows.definitions.channels import agent_of, tracking_of
from transforms.flows.definitions.verbs import Send
from transforms.flows.engine.context import NOTHING, Run
from transforms.flows.engine.messages.communications import keep, put_away, tell, write
from transforms.flows.engine.messages.send_policy import (
    address_of,
    capped,
    opening_of,
    reachable,
    refusal,
)
from transforms.flows.engine.messages.template_data import add_user, captured, values_of
from transforms.flows.protocol.outputs import Message
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.limits import LONGEST_WAIT, fits, full
from transforms.flows.state.stored import Communication, Sent
from transforms.flows.state.working import Session


def plan_send(run: Run, plan: Plan, session: Session, node: Node, t: int) -> str | None:
    """Make the communication of a send step; return the reason if it was refused at once."""
    verb = node.verb
    assert isinstance(verb, Send)
    view = run.look(t, plan, session)
    due: int | None = t
    if verb.at is not None:
        due = resolve(verb.at, t, view.zone, node.path(view) if node.path else None)
    refused = "missing_date" if due is None else "too_far" if due > t + LONGEST_WAIT else None
    due = t if due is None else max(t, due)
    given = values_of(node.values[0], view) if node.values[0] else NOTHING
    name = run.session_id(session)
    sent = Communication(
        name,
        session.id,
        plan.number,
        plan.version,
        node.number,
        session.started,
        verb.channel,
        "planned",
        t,
        due,
        after(verb.validity, due, view.zone) if verb.validity else None,
        session.silent,
        captured(plan, session, plan.templates.get(verb.template), given),
    )
    session.sent[node.number] = name
    if refused is not None:
        return _skip(run, plan, node, sent, session, refused, t)
    # Only the steps of on_exit run in a paused flow; what they send is judged at the resume.
    sent.stays = bool(run.era.paused) and plan.number in run.era.paused
    later = due > t or sent.stays
    if later and not _room(run, sent):
        return _skip(run, plan, node, sent, session, "too_many_planned", t)
    if later:
        sent.key = session.key
        write(run, plan, node, sent, session, t, due=due)
        keep(run, plan, sent, t)
        return None
    return judge(run, plan, node, sent, session, t)


def judge(
    run: Run, plan: Plan, node: Node, sent: Communication, session: Session | None, t: int
) -> str | None:
    """Decide a due communication: it leaves, waits for an opening, or is refused for a reason."""
    verb = node.verb
    assert isinstance(verb, Send)
    if sent.status != "planned" or "attempt" in sent.facts:
        _again(run, plan, node, sent, session, t)
        return None
    refused, channel, address = refusal(run, verb, sent, t)
    if refused is None:
        opens = opening_of(run, plan, verb, t)
        if opens is None or (sent.expires is not None and opens >= sent.expires):
            refused = "expired"
        elif opens > t and not _room(run, sent):
            refused = "too_many_planned"
        elif opens > t:
            sent.due, sent.changed = opens, t
            write(run, plan, node, sent, session, t, due=opens)
            keep(run, plan, sent, t)
            return None
        elif run.era.cap_memory and capped(run, plan, channel, verb.topic, t):
            refused = "capped"
        elif run.era.kills and run.era.killed(plan.number, channel):
            refused = "killed"
    if refused is not None:
        return _skip(run, plan, node, sent, session, refused, t)
    _leave(run, plan, node, sent, session, channel, address, t)
    return None


def fail_over(
    run: Run, plan: Plan, node: Node, sent: Communication, session: Session | None, t: int
) -> bool:
    """Start the next channel of a message that failed, or is not delivered in time (R15, I30).

    Tell whether there is one: with an address, consent, time and no cap that forbids it.
    """
    verb = node.verb
    assert isinstance(verb, Send)
    order = _order_of(verb)
    first = order.index(sent.channel) + (sent.status != "planned")
    found = [c for c in order[first:] if reachable(run, c, verb.topic)]
    opens = opening_of(run, plan, verb, t)
    if not found or opens is None or (sent.expires is not None and opens >= sent.expires):
        return False
    if opens <= t and run.era.cap_memory and capped(run, plan, found[0], verb.topic, t):
        run.reject("capped", t, plan.id, found[0], node.name)
        return False
    if run.era.kills and run.era.killed(plan.number, found[0]):
        run.reject("killed", t, plan.id, found[0], node.name)
        return False
    attempt = sent.facts.get("attempt", 1) + (sent.status != "planned")
    sent.facts = {"attempt": attempt}
    sent.stays = plan.number in run.era.paused or (session is not None and session.halt is not None)
    if opens > t or sent.stays:
        sent.channel, sent.status, sent.due, sent.changed = found[0], "planned", opens, t
        write(run, plan, node, sent, session, t, due=opens, reason="failover")
        keep(run, plan, sent, t)
    else:
        _leave(run, plan, node, sent, session, found[0], address_of(run, run.era, found[0]), t)
    return True


def _order_of(verb: Send) -> list[str]:
    return list(dict.fromkeys((verb.channel, *verb.failover)))


def _again(
    run: Run, plan: Plan, node: Node, sent: Communication, session: Session | None, t: int
) -> None:
    """Go on with a message that left once: it is not delivered in time, or its window opens."""
    planned = sent.status == "planned"
    sent.due = None
    if fail_over(run, plan, node, sent, session, t):
        return
    if planned:
        sent.status, sent.changed, sent.data = "failed", t, {}
        write(run, plan, node, sent, session, t, reason="no_next_channel")
        tell(run, plan, node, sent, t)
    keep(run, plan, sent, t)


def _room(run: Run, sent: Communication) -> bool:
    """Tell whether a communication is planned already, or may be."""
    if any(c is sent for c in run.state.communications):
        return True
    return not full(run.state) and fits(run.state, encoded_size(sent.data))


def _skip(
    run: Run,
    plan: Plan,
    node: Node,
    sent: Communication,
    session: Session | None,
    reason: str,
    t: int,
) -> str:
    """Say that a communication does not leave, and why; forget it."""
    put_away(run, sent, session, t, "skipped", reason)
    tell(run, plan, node, sent, t)
    return reason


def _leave(
    run: Run,
    plan: Plan,
    node: Node,
    sent: Communication,
    session: Session | None,
    channel: str,
    address: str,
    t: int,
) -> None:
    verb = node.verb
    assert isinstance(verb, Send)
    template = plan.templates.get(verb.template)
    data = {key: dict(v) if isinstance(v, dict) else v for key, v in sent.data.items()}
    add_user(run, plan, template, data)
    sent.channel, sent.status, sent.changed, sent.due = channel, "active", t, None
    attempt = sent.facts.get("attempt", 1)
    again = channel != _order_of(verb)[-1] if verb.failover else False
    sent.data = sent.data if again else {}
    sent.facts = {"sent_at": t} if attempt == 1 else {"sent_at": t, "attempt": attempt}
    if again and verb.failover_after is not None:
        sent.due = after(verb.failover_after, t, run.zone_of(plan))
    plain = node.plain and run.era.plain
    known = None if plain else run.era.channels.get(channel)
    run.outputs.append(
        Message(
            f"{sent.id}-{attempt}",
            run.user,
            t,
            plan.id,
            plan.version,
            sent.session,
            node.name,
            sent.id,
            channel,
            address,
            verb.template,
            template.version if template is not None else "",
            data,
            verb.topic,
            None if plain else agent_of(verb, channel, known),
            sent.expires,
            NOTHING if plain else tracking_of(verb, known),
        )
    )
    if run.era.cap_memory:
        kept = [s for s in run.state.sends if s.at > t - run.era.cap_memory]
        run.state.sends = [*kept, Sent(t, channel, verb.topic)]
    reason = "failover" if attempt > 1 else None
    name = f"{sent.id}-{sent.status}-{t}" + (f"-{attempt}" if attempt > 1 else "")
    write(run, plan, node, sent, session, t, reason=reason, name=name)
    keep(run, plan, sent, t)
    tell(run, plan, node, sent, t)
