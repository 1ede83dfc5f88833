"""Communications: planned by a step, judged when due, in the order of R14."""

from __future__ import annotations

from typing import Any

from transforms.flows import model
from transforms.flows import outputs as out
from transforms.flows.bounds import LONGEST_WAIT, fits, full
from transforms.flows.catalog import Era
from transforms.flows.codec import encoded_size
from transforms.flows.plan import Node, Plan
from transforms.flows.run import Data, Run
from transforms.flows.shelf import KEPT, MONTH, shelve
from transforms.flows.signals import CommunicationUpdate
from transforms.flows.state import Communication, Sent, Session
from transforms.flows.times import after, period_start, resolve
from transforms.flows.view import View
from transforms.flows.windows import closing, is_open, opening

TRIES = 64


def values_of(values: tuple[tuple[str, Any], ...], view: View) -> Data:
    """Evaluate named expressions; a missing value is left out."""
    found = {}
    for name, value in values:
        result = value(view)
        if result is not None:
            found[name] = result
    return found


def plan_send(run: Run, plan: Plan, session: Session, node: Node, t: int) -> str | None:
    """Make the communication of a send step; return the reason if it was refused at once."""
    verb = node.verb
    assert isinstance(verb, model.Send)
    view = run.look(t, plan, session)
    due: int | None = t
    if verb.at is not None:
        due = resolve(verb.at, t, view.zone, node.path(view) if node.path else None)
    refused = "missing_date" if due is None else "too_far" if due > t + LONGEST_WAIT else None
    due = t if due is None else max(t, due)
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
        _captured(plan, node, session, view),
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
        write(run, plan, node, sent, session, t, due=due)
        keep(run, plan, sent, t)
        return None
    return judge(run, plan, node, sent, session, t)


def _captured(plan: Plan, node: Node, session: Session, view: View) -> Data:
    """Take what the template reads of the session, as it is when the message is planned."""
    verb = node.verb
    assert isinstance(verb, model.Send)
    roots: Data = {"data": values_of(node.values[0], view)} if node.values[0] else {}
    template = plan.templates.get(verb.template)
    for path in template.reads if template is not None else ():
        match path[0]:
            case "entry":
                _pick(roots, session.entry, path)
            case "session":
                _pick(roots, session.variables | {"started": session.started}, path)
            case "flow":
                roots["flow"] = {"id": plan.id, "version": plan.version}
            case _:
                pass
    return roots


def _pick(into: Data, source: Data, path: tuple[str, ...]) -> None:
    if len(path) == 1:
        into[path[0]] = dict(source)
    elif path[1] in source:
        into.setdefault(path[0], {})[path[1]] = source[path[1]]


def judge(
    run: Run, plan: Plan, node: Node, sent: Communication, session: Session | None, t: int
) -> str | None:
    """Decide a due communication: it leaves, waits for an opening, or is refused for a reason."""
    verb = node.verb
    assert isinstance(verb, model.Send)
    if sent.status != "planned" or "attempt" in sent.facts:
        _again(run, plan, node, sent, session, t)
        return None
    refused, channel, address = _refusal(run, verb, sent, t)
    if refused is None:
        opens = _opening(run, plan, verb, t)
        if opens is None or (sent.expires is not None and opens >= sent.expires):
            refused = "expired"
        elif opens > t and not _room(run, sent):
            refused = "too_many_planned"
        elif opens > t:
            sent.due, sent.changed = opens, t
            write(run, plan, node, sent, session, t, due=opens)
            keep(run, plan, sent, t)
            return None
        elif run.era.cap_memory and _capped(run, plan, channel, verb.topic, t):
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
    assert isinstance(verb, model.Send)
    order = _order_of(verb)
    first = order.index(sent.channel) + (sent.status != "planned")
    found = [c for c in order[first:] if _reachable(run, c, verb.topic)]
    opens = _opening(run, plan, verb, t)
    if not found or opens is None or (sent.expires is not None and opens >= sent.expires):
        return False
    if opens <= t and run.era.cap_memory and _capped(run, plan, found[0], verb.topic, t):
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
        _leave(run, plan, node, sent, session, found[0], _address(run, run.era, found[0]), t)
    return True


def _order_of(verb: model.Send) -> list[str]:
    return list(dict.fromkeys((verb.channel, *verb.failover)))


def _reachable(run: Run, channel: str, topic: str | None) -> bool:
    known = _address(run, run.era, channel)
    return bool(known) and _allowed(run.state.consent, run.era, channel, topic)


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
    sent.status, sent.due, sent.changed = "skipped", None, t
    write(run, plan, node, sent, session, t, reason=reason)
    drop(run, sent)
    tell(run, plan, node, sent, t)
    return reason


def _refusal(
    run: Run, verb: model.Send, sent: Communication, t: int
) -> tuple[str | None, str, str]:
    if sent.silent:
        return "holdout", verb.channel, ""
    consent = run.state.consent
    era = run.era
    if not _allowed(consent, era, verb.channel, verb.topic):
        return "no_consent", verb.channel, ""
    for channel in (verb.channel, *verb.failover):
        address = _address(run, era, channel)
        if address and _allowed(consent, era, channel, verb.topic):
            late = sent.expires is not None and t >= sent.expires
            return ("expired" if late else None), channel, address
    return "no_address", verb.channel, ""


def _allowed(consent: dict[str, bool], era: Era, channel: str, topic: str | None) -> bool:
    """Tell whether the user takes messages of a topic on a channel."""
    if not consent.get(channel, True):
        return False
    if topic is None:
        return True
    default = not (topic in era.topics and era.topics[topic].opt_in)
    return consent.get(f"{channel}:{topic}", consent.get(topic, default))


def _address(run: Run, era: Era, channel: str) -> str:
    known = era.channels.get(channel)
    if known is None:
        return ""
    if known.address == "user":
        return run.user
    value = run.state.traits.get(known.address)
    return value.strip() if isinstance(value, str) else ""


def _opening(run: Run, plan: Plan, verb: model.Send, t: int) -> int | None:
    """Return the next instant at which the window is open and quiet hours are over."""
    quiet, window = run.era.space.quiet_hours, verb.window
    if quiet is None and window is None:
        return t
    where, at = run.zone_of(plan), t
    for _ in range(TRIES):
        before = at
        if window is not None:
            at = opening(window, at, where)
        if quiet is not None and is_open(quiet, at, where):
            ends = closing(quiet, at, where)
            if ends is None:
                return None
            at = ends
        if at == before:
            return at
    return None


def _capped(run: Run, plan: Plan, channel: str, topic: str | None, t: int) -> bool:
    """Tell whether a cap over all flows of the user is reached (R2, R14)."""
    where = None
    for cap in run.era.space.caps:
        if cap.channel not in (None, channel) or cap.topic not in (None, topic):
            continue
        where = where or run.zone_of(plan)
        start = period_start(cap.limit.per, t, where)
        count = sum(
            1
            for sent in run.state.sends
            if sent.at > start
            and cap.channel in (None, sent.channel)
            and cap.topic in (None, sent.topic)
        )
        if count >= cap.limit.most:
            return True
    return False


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
    assert isinstance(verb, model.Send)
    template = plan.templates.get(verb.template)
    data = {key: dict(v) if isinstance(v, dict) else v for key, v in sent.data.items()}
    for path in template.reads if template is not None else ():
        if path[0] == "user":
            _pick(data, run.state.traits, path)
    sent.channel, sent.status, sent.changed, sent.due = channel, "active", t, None
    attempt = sent.facts.get("attempt", 1)
    again = channel != _order_of(verb)[-1] if verb.failover else False
    sent.data = sent.data if again else {}
    sent.facts = {"sent_at": t} if attempt == 1 else {"sent_at": t, "attempt": attempt}
    if again and verb.failover_after is not None:
        sent.due = after(verb.failover_after, t, run.zone_of(plan))
    run.outputs.append(
        out.Message(
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
            None,
            sent.expires,
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


def keep(run: Run, plan: Plan, sent: Communication, t: int) -> None:
    """Remember a communication: planned and awaited ones always, others for 30 days, a hundred."""
    state = run.state
    if sent.due is None and sent.step not in plan.asked:
        if state.communications:
            drop(run, sent)
        shelve(state, sent, t)
        return
    edge, old, others = t - MONTH, False, []
    for known in state.communications:
        if known is not sent:
            old = old or known.changed <= edge
            others.append(known)
    if old or len(others) >= KEPT:
        others = _needed(run, others, edge)
    others.append(sent)
    state.communications = others


def _needed(run: Run, others: list[Communication], edge: int) -> list[Communication]:
    """Drop the oldest communications, but none that is planned or that a session may look at."""
    asked = {
        session.sent.get(number)
        for session in run.state.sessions
        for number in run.plan_of(session).asked
    }
    fixed = {c.id for c in others if c.due is not None or c.id in asked}
    others = [c for c in others if c.id in fixed or c.changed > edge]
    over = max(0, len(others) + 1 - KEPT)
    gone = {c.id for c in [c for c in others if c.id not in fixed][:over]}
    return [c for c in others if c.id not in gone]


def about(plan: Plan, node: Node, sent: Communication) -> Data:
    """Return what triggers read of a message: ids and names, and what its results report."""
    told: Data = dict(sent.facts.get("data", {}))
    told |= {"id": sent.id, "flow": plan.id, "name": node.name}
    return told | {"channel": sent.channel, "status": sent.status}


def tell(run: Run, plan: Plan, node: Node, sent: Communication, t: int) -> None:
    """Raise a status that is decided here, where a trigger listens to messages (C9, C10).

    Nothing is raised of what a silent session made (R19).
    """
    if run.era.told and not sent.silent:
        data = about(plan, node, sent)
        name = run.other_id()
        change = CommunicationUpdate(
            id=name, user=run.user, time=t, communication=sent.id, status=sent.status, data=data
        )
        run.raise_(change)


def drop(run: Run, sent: Communication) -> None:
    """Forget a communication."""
    run.state.communications = [c for c in run.state.communications if c.id != sent.id]


def write(
    run: Run,
    plan: Plan,
    node: Node,
    sent: Communication,
    session: Session | None,
    t: int,
    *,
    reason: str | None = None,
    due: int | None = None,
    data: Data | None = None,
    name: str | None = None,
) -> None:
    """Write one row of a communication; its id is its own id and the row's status and time.

    A status from outside may come twice at one instant: its row is named by what caused it.
    """
    verb = node.verb
    assert isinstance(verb, model.Send)
    run.outputs.append(
        out.Communication(
            name or f"{sent.id}-{sent.status}-{t}",
            run.user,
            t,
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
            _variant(run, session) if session and session.variants else None,
            due,
            data=data or {},
        )
    )


def _variant(run: Run, session: Session) -> str | None:
    """Return the branch drawn last, as the session's own version names it."""
    return variants_of(run.plan_of(session), session)[-1]


def variants_of(plan: Plan, session: Session) -> tuple[str, ...]:
    """Return the drawn branches of a session as ``step=branch``, in the order of the drawing."""
    found = []
    for number, index in session.variants.items():
        node = plan.nodes.get(number)
        if node is not None and isinstance(node.verb, model.Split):
            found.append(f"{node.name}={node.verb.branches[index].name}")
    return tuple(found)
