"""Communications: planned by a step, and decided when due, in the order of R14."""

from __future__ import annotations

from transforms.flows.catalog.compiled import CompiledStep, Plan
from transforms.flows.clock.delays import after
from transforms.flows.clock.schedules import resolve
from transforms.flows.definitions.channels import agent_of, tracking_of
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.engine.context import NOTHING, Context
from transforms.flows.engine.messages.communications import (
    discard,
    log_status,
    notify_triggers,
    remember,
    variants_of,
)
from transforms.flows.engine.messages.send_policy import (
    address_of,
    capped,
    has_room,
    is_urgent,
    opening_of,
    reachable,
    refusal,
)
from transforms.flows.engine.messages.template_data import add_user, captured, values_of
from transforms.flows.engine.profile.aggregates import count_message
from transforms.flows.engine.working import Session
from transforms.flows.protocol.outputs import Message
from transforms.flows.state.limits import LONGEST_WAIT
from transforms.flows.state.stored import Communication, Sent


def plan_send(ctx: Context, session: Session) -> str | None:
    """Create the communication of a send step; return the reason if it was refused at once."""
    node = session.node
    plan = session.plan
    now = ctx.now
    verb = node.verb
    assert isinstance(verb, Send)
    view = ctx.view_of(session)
    due: int | None = now
    if verb.at is not None:
        due = resolve(verb.at, now, view.zone, node.path(view) if node.path else None)
    refused = "missing_date" if due is None else "too_far" if due > now + LONGEST_WAIT else None
    due = now if due is None else max(now, due)
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
        now,
        due,
        after(verb.validity, due, view.zone) if verb.validity else None,
        session.silent,
        captured(plan, session, plan.templates.get(verb.template), given),
    )
    if session.variants:
        sent.variant = variants_of(plan, session)[-1]
    session.sent[node.number] = name
    if refused is not None:
        return _skip(ctx, plan, node, sent, refused)
    # In a paused flow only on_exit steps run; what they send is decided at the resume.
    sent.on_hold = bool(ctx.epoch.paused) and plan.number in ctx.epoch.paused
    later = due > now or sent.on_hold
    if later and not has_room(ctx, sent):
        return _skip(ctx, plan, node, sent, "too_many_planned")
    if later:
        sent.key = session.key
        log_status(ctx, plan, node, sent, due=due)
        remember(ctx, plan, sent)
        return None
    return send_or_refuse(ctx, plan, node, sent, session)


def send_or_refuse(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    sent: Communication,
    session: Session | None,
) -> str | None:
    """Decide a due communication: send it, delay it until the window opens, or refuse it."""
    now = ctx.now
    verb = node.verb
    assert isinstance(verb, Send)
    if sent.status != "planned" or "attempt" in sent.facts:
        _again(ctx, plan, node, sent, session)
        return None
    refused, channel, address = refusal(ctx, verb, sent)
    if refused is None:
        opens = opening_of(ctx, plan, verb)
        if opens is None or (sent.expires is not None and opens >= sent.expires):
            refused = "expired"
        elif opens > now and not has_room(ctx, sent):
            refused = "too_many_planned"
        elif opens > now:
            sent.due, sent.changed = opens, now
            log_status(ctx, plan, node, sent, due=opens)
            remember(ctx, plan, sent)
            return None
        elif ctx.epoch.cap_memory and capped(ctx, plan, channel, verb):
            refused = "capped"
        elif ctx.epoch.kill_switches and ctx.epoch.killed(plan.number, channel):
            refused = "killed"
    if refused is not None:
        return _skip(ctx, plan, node, sent, refused)
    _leave(ctx, plan, node, sent, channel, address)
    return None


def fail_over(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    sent: Communication,
    session: Session | None,
) -> bool:
    """Use the next channel of a message that failed or is not delivered in time (R15, I30).

    Return True if there is one: with an address, with consent, in time and not capped.
    """
    now = ctx.now
    verb = node.verb
    assert isinstance(verb, Send)
    order = _order_of(verb)
    first = order.index(sent.channel) + (sent.status != "planned")
    found = [c for c in order[first:] if reachable(ctx, c, verb.topic)]
    opens = opening_of(ctx, plan, verb)
    if not found or opens is None or (sent.expires is not None and opens >= sent.expires):
        return False
    if opens <= now and ctx.epoch.cap_memory and capped(ctx, plan, found[0], verb):
        ctx.emit_rejection("capped", plan.id, found[0], node.name)
        return False
    if ctx.epoch.kill_switches and ctx.epoch.killed(plan.number, found[0]):
        ctx.emit_rejection("killed", plan.id, found[0], node.name)
        return False
    attempt, earlier = sent.facts.get("attempt", 1), sent.facts.get("earlier", [])
    if sent.status != "planned":
        attempt, earlier = attempt + 1, [*earlier, sent.channel]
    sent.facts = {"attempt": attempt, "earlier": earlier}
    sent.on_hold = plan.number in ctx.epoch.paused or (
        session is not None and session.halt is not None
    )
    if opens > now or sent.on_hold:
        sent.channel, sent.status, sent.due, sent.changed = found[0], "planned", opens, now
        log_status(ctx, plan, node, sent, due=opens, reason="failover")
        remember(ctx, plan, sent)
    else:
        _leave(ctx, plan, node, sent, found[0], address_of(ctx, ctx.epoch, found[0]))
    return True


def _order_of(verb: Send) -> list[str]:
    return list(dict.fromkeys((verb.channel, *verb.failover)))


def _again(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    sent: Communication,
    session: Session | None,
) -> None:
    """Continue a message that was sent before: it is not delivered in time, or its window opens."""
    planned = sent.status == "planned"
    sent.due = None
    if fail_over(ctx, plan, node, sent, session):
        return
    if planned:
        sent.status, sent.changed, sent.data = "failed", ctx.now, {}
        log_status(ctx, plan, node, sent, reason="no_next_channel")
        notify_triggers(ctx, plan, node, sent)
    remember(ctx, plan, sent)


def _skip(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    sent: Communication,
    reason: str,
) -> str:
    """Write that a communication is not sent, and why; forget it."""
    discard(ctx, sent, "skipped", reason)
    notify_triggers(ctx, plan, node, sent)
    return reason


def _leave(
    ctx: Context,
    plan: Plan,
    node: CompiledStep,
    sent: Communication,
    channel: str,
    address: str,
) -> None:
    now = ctx.now
    verb = node.verb
    assert isinstance(verb, Send)
    template = plan.templates.get(verb.template)
    data = {key: dict(v) if isinstance(v, dict) else v for key, v in sent.data.items()}
    add_user(ctx, plan, template, data)
    sent.channel, sent.status, sent.changed, sent.due = channel, "active", now, None
    attempt = sent.facts.get("attempt", 1)
    again = channel != _order_of(verb)[-1] if verb.failover else False
    sent.data = sent.data if again else {}
    earlier = sent.facts.get("earlier", [])
    sent.facts = {"sent_at": now}
    if attempt > 1:
        sent.facts |= {"attempt": attempt, "earlier": earlier}
    if again and verb.failover_after is not None:
        sent.due = after(verb.failover_after, now, ctx.zone_of(plan))
    plain = node.plain and ctx.epoch.untracked
    known = None if plain else ctx.epoch.channels.get(channel)
    ctx.outputs.append(
        Message(
            f"{sent.id}-{attempt}",
            ctx.user,
            now,
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
    if None in ctx.epoch.aggregates_by_event:
        facts = {"flow": plan.id, "step": node.name, "channel": channel, "template": verb.template}
        count_message(ctx, facts if verb.topic is None else facts | {"topic": verb.topic})
    if ctx.epoch.cap_memory and not is_urgent(ctx, verb):
        kept = [s for s in ctx.state.cap_sends if s.at > now - ctx.epoch.cap_memory]
        ctx.state.cap_sends = [*kept, Sent(now, channel, verb.topic)]
    reason = "failover" if attempt > 1 else None
    log_status(ctx, plan, node, sent, reason=reason)
    remember(ctx, plan, sent)
    notify_triggers(ctx, plan, node, sent)
