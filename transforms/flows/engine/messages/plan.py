"""Communications: planned by a step, judged when due, in the order of R14."""

from __future__ import annotations

from transforms.flows.catalog.compiled import CompiledStep, Plan
from transforms.flows.clock.elapsing import after
from transforms.flows.clock.schedules import resolve
from transforms.flows.definitions.channels import agent_of, tracking_of
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.engine.context import NOTHING, Context
from transforms.flows.engine.limits import fits, full
from transforms.flows.engine.messages.communications import (
    discard,
    log_status,
    notify_triggers,
    remember,
)
from transforms.flows.engine.messages.send_policy import (
    address_of,
    capped,
    opening_of,
    reachable,
    refusal,
)
from transforms.flows.engine.messages.template_data import add_user, captured, values_of
from transforms.flows.engine.working import Session
from transforms.flows.protocol.outputs import Message
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.limits import LONGEST_WAIT
from transforms.flows.state.stored import Communication, Sent


def plan_send(ctx: Context, plan: Plan, session: Session, node: CompiledStep, t: int) -> str | None:
    """Make the communication of a send step; return the reason if it was refused at once."""
    verb = node.verb
    assert isinstance(verb, Send)
    view = ctx.view_for(t, plan, session)
    due: int | None = t
    if verb.at is not None:
        due = resolve(verb.at, t, view.zone, node.path(view) if node.path else None)
    refused = "missing_date" if due is None else "too_far" if due > t + LONGEST_WAIT else None
    due = t if due is None else max(t, due)
    given = values_of(node.values[0], view) if node.values[0] else NOTHING
    name = ctx.next_session_output_id(session)
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
        return _skip(ctx, plan, node, sent, session, refused, t)
    # Only the steps of on_exit run in a paused flow; what they send is judged at the resume.
    sent.on_hold = bool(ctx.epoch.paused) and plan.number in ctx.epoch.paused
    later = due > t or sent.on_hold
    if later and not _room(ctx, sent):
        return _skip(ctx, plan, node, sent, session, "too_many_planned", t)
    if later:
        sent.key = session.key
        log_status(ctx, plan, node, sent, session, t, due=due)
        remember(ctx, plan, sent, t)
        return None
    return send_or_refuse(ctx, plan, node, sent, session, t)


def send_or_refuse(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    sent: Communication,
    session: Session | None,
    t: int,
) -> str | None:
    """Decide a due communication: it leaves, waits for an opening, or is refused for a reason."""
    verb = node.verb
    assert isinstance(verb, Send)
    if sent.status != "planned" or "attempt" in sent.facts:
        _again(ctx, plan, node, sent, session, t)
        return None
    refused, channel, address = refusal(ctx, verb, sent, t)
    if refused is None:
        opens = opening_of(ctx, plan, verb, t)
        if opens is None or (sent.expires is not None and opens >= sent.expires):
            refused = "expired"
        elif opens > t and not _room(ctx, sent):
            refused = "too_many_planned"
        elif opens > t:
            sent.due, sent.changed = opens, t
            log_status(ctx, plan, node, sent, session, t, due=opens)
            remember(ctx, plan, sent, t)
            return None
        elif ctx.epoch.cap_memory and capped(ctx, plan, channel, verb.topic, t):
            refused = "capped"
        elif ctx.epoch.kill_switches and ctx.epoch.killed(plan.number, channel):
            refused = "killed"
    if refused is not None:
        return _skip(ctx, plan, node, sent, session, refused, t)
    _leave(ctx, plan, node, sent, session, channel, address, t)
    return None


def fail_over(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    sent: Communication,
    session: Session | None,
    t: int,
) -> bool:
    """Start the next channel of a message that failed, or is not delivered in time (R15, I30).

    Tell whether there is one: with an address, consent, time and no cap that forbids it.
    """
    verb = node.verb
    assert isinstance(verb, Send)
    order = _order_of(verb)
    first = order.index(sent.channel) + (sent.status != "planned")
    found = [c for c in order[first:] if reachable(ctx, c, verb.topic)]
    opens = opening_of(ctx, plan, verb, t)
    if not found or opens is None or (sent.expires is not None and opens >= sent.expires):
        return False
    if opens <= t and ctx.epoch.cap_memory and capped(ctx, plan, found[0], verb.topic, t):
        ctx.emit_rejection("capped", t, plan.id, found[0], node.name)
        return False
    if ctx.epoch.kill_switches and ctx.epoch.killed(plan.number, found[0]):
        ctx.emit_rejection("killed", t, plan.id, found[0], node.name)
        return False
    attempt = sent.facts.get("attempt", 1) + (sent.status != "planned")
    sent.facts = {"attempt": attempt}
    sent.on_hold = plan.number in ctx.epoch.paused or (
        session is not None and session.halt is not None
    )
    if opens > t or sent.on_hold:
        sent.channel, sent.status, sent.due, sent.changed = found[0], "planned", opens, t
        log_status(ctx, plan, node, sent, session, t, due=opens, reason="failover")
        remember(ctx, plan, sent, t)
    else:
        _leave(ctx, plan, node, sent, session, found[0], address_of(ctx, ctx.epoch, found[0]), t)
    return True


def _order_of(verb: Send) -> list[str]:
    return list(dict.fromkeys((verb.channel, *verb.failover)))


def _again(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    sent: Communication,
    session: Session | None,
    t: int,
) -> None:
    """Go on with a message that left once: it is not delivered in time, or its window opens."""
    planned = sent.status == "planned"
    sent.due = None
    if fail_over(ctx, plan, node, sent, session, t):
        return
    if planned:
        sent.status, sent.changed, sent.data = "failed", t, {}
        log_status(ctx, plan, node, sent, session, t, reason="no_next_channel")
        notify_triggers(ctx, plan, node, sent, t)
    remember(ctx, plan, sent, t)


def _room(ctx: Context, sent: Communication) -> bool:
    """Tell whether a communication is planned already, or may be."""
    if any(c is sent for c in ctx.state.communications):
        return True
    return not full(ctx.state) and fits(ctx.state, encoded_size(sent.data))


def _skip(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    sent: Communication,
    session: Session | None,
    reason: str,
    t: int,
) -> str:
    """Say that a communication does not leave, and why; forget it."""
    discard(ctx, sent, session, t, "skipped", reason)
    notify_triggers(ctx, plan, node, sent, t)
    return reason


def _leave(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
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
    add_user(ctx, plan, template, data)
    sent.channel, sent.status, sent.changed, sent.due = channel, "active", t, None
    attempt = sent.facts.get("attempt", 1)
    again = channel != _order_of(verb)[-1] if verb.failover else False
    sent.data = sent.data if again else {}
    sent.facts = {"sent_at": t} if attempt == 1 else {"sent_at": t, "attempt": attempt}
    if again and verb.failover_after is not None:
        sent.due = after(verb.failover_after, t, ctx.zone_of(plan))
    plain = node.plain and ctx.epoch.untracked
    known = None if plain else ctx.epoch.channels.get(channel)
    ctx.outputs.append(
        Message(
            f"{sent.id}-{attempt}",
            ctx.user,
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
    if ctx.epoch.cap_memory:
        kept = [s for s in ctx.state.cap_sends if s.at > t - ctx.epoch.cap_memory]
        ctx.state.cap_sends = [*kept, Sent(t, channel, verb.topic)]
    reason = "failover" if attempt > 1 else None
    name = f"{sent.id}-{sent.status}-{t}" + (f"-{attempt}" if attempt > 1 else "")
    log_status(ctx, plan, node, sent, session, t, reason=reason, name=name)
    remember(ctx, plan, sent, t)
    notify_triggers(ctx, plan, node, sent, t)
