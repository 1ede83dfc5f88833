"""Two states of one user become one: nothing is lost but what a bound refuses, with its reason (R8).

The user's own traits win unless older, a withdrawn consent wins always, what was counted and
remembered joins, waits keep their due times; of two sessions of one flow and key the later ends,
or the silent one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from transforms.flows.catalog.epochs import Effect, FlowView
from transforms.flows.definitions.triggers.profile import OnDate, OnSchedule
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.entry.dates import rearm_for_audience, rearm_for_traits, rebase_pending
from transforms.flows.engine.entry.decision import MOST_ENTRIES, MOST_SESSIONS
from transforms.flows.engine.lifecycle.goals import forget_ended
from transforms.flows.engine.limits import PLANNED, fits
from transforms.flows.engine.messages.communications import discard, forget
from transforms.flows.engine.profile.audiences import (
    LISTS_BOUND,
    MOST_AUDIENCES,
    PROFILE_BOUND,
    recompute,
)
from transforms.flows.engine.profile.participants import (
    MOST_PARTICIPANTS,
    PARTICIPANT_BOUND,
    field_key,
    replace_participant,
)
from transforms.flows.engine.profile.visits import extend_visit_waits
from transforms.flows.engine.steps.moves import end, recheck_conditions
from transforms.flows.engine.timers import clamp_due_times
from transforms.flows.engine.working import Session, State
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Handover
from transforms.flows.state import dedupe, series, trait_times
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.ids import short
from transforms.flows.state.sent_archive import KEPT
from transforms.flows.state.stored import Communication, Participant, Presence

ON_SESSIONS: Final = frozenset(("stop", "pause", "resume", "migrate", "drain"))
"""Control records that concern sessions, and begin nothing."""

Concern = Callable[[Context, list[Effect]], None]
"""Lets control records of one instant act on what is under way, and what they raise too."""


def merge(ctx: Context, theirs: State, given: Handover, t: int, concern: Concern) -> int:
    """Take another key's state into this one, at an instant that it has reached too.

    Return how many of the signals that this raised are decisions of sessions; what follows them
    comes of what is known now.
    """
    handover, state = given.id, ctx.state
    traits, participants = dict(state.traits), dict(state.participants)
    ctx.begin(handover, t)
    _join_profile(ctx, theirs)
    _join_counts(state, theirs)
    _join_participants(ctx, theirs)
    entered = _join_audiences(ctx, theirs)
    ctx.view.presence = state.presence = _visits(state.presence, theirs.presence)
    joined = _join_sessions(ctx, theirs, handover, t, concern)
    ctx.begin(handover, t, f"{handover} joined")
    changed = _differences(state, traits, participants)
    since = min(theirs.clock, t)
    if changed:
        rearm_for_traits(ctx, changed, since)
    for audience in entered:
        rearm_for_audience(ctx, audience, since)
    extend_visit_waits(ctx)
    clamp_due_times(state, t)
    for session in joined:
        if session.ended is None:
            ctx.emit_transition("waiting", session, reason="joined", until=session.due)
    _end_doubles(ctx)
    _keep_bounds(ctx, joined)
    decisions = len(ctx.queue)
    ctx.invalidate_view()
    recompute(ctx, ctx.epoch.audiences)
    for session in () if given.bypass else ctx.sessions_in_order():
        if session.ended is None:
            recheck_conditions(ctx, session)
    ctx.flow_state_changed = ctx.flow_state_changed or bool(joined)
    return decisions


# --- what is known ---------------------------------------------------------------------------


def _join_profile(ctx: Context, theirs: State) -> None:
    """Join traits, tags and consent."""
    state = ctx.state
    mine = trait_times.ages_of(state.trait_ages, state.traits)
    other = trait_times.ages_of(theirs.trait_ages, theirs.traits)
    room = PROFILE_BOUND - encoded_size(state.traits) - encoded_size(state.tags)
    full = False
    for name, value in theirs.traits.items():
        if name in state.traits and other[name] <= mine[name]:
            continue
        room -= encoded_size(name) + encoded_size(value)
        if room < 0:
            full = True
            continue
        state.traits[name], mine[name] = value, other[name]
    for tag in theirs.tags:
        room -= encoded_size(tag)
        if room < 0:
            full = True
        elif tag not in state.tags:
            state.tags.append(tag)
    if full:
        ctx.emit_rejection("value_too_large", detail="profile")
    state.trait_ages = trait_times.packed([mine[name] for name in state.traits])
    both = theirs.consent | state.consent
    both |= {n: False for n in both if not (theirs.consent.get(n, True) and both[n])}
    if encoded_size(both) <= LISTS_BOUND:
        state.consent = both
    else:
        ctx.emit_rejection("value_too_large", detail="consent")
    ctx.invalidate_view()


def _differences(state: State, traits: Data, participants: dict[str, Participant]) -> Data:
    """Return the values before of all that dates may count from and that has changed (R8)."""
    changed = _changed(traits, state.traits)
    for campaign, participant in state.participants.items():
        known = participants.get(campaign)
        fields = _changed({} if known is None else known.data, participant.data)
        changed |= {field_key(name): value for name, value in fields.items()}
    return changed


def _changed(before: Data, now: Data) -> Data:
    return {n: before.get(n) for n in before | now if before.get(n) != now.get(n)}


def _join_audiences(ctx: Context, theirs: State) -> list[str]:
    """Join memberships; they are told to others and start nothing: they began elsewhere."""
    members, entered = ctx.state.audiences, []
    for audience, since in theirs.audiences.items():
        if audience in members:
            members[audience] = min(since, members[audience])
        elif len(members) >= MOST_AUDIENCES:
            ctx.emit_rejection("value_too_large", detail="audiences")
        else:
            members[audience] = since
            entered.append(audience)
            _tell(ctx, audience)
    return entered


def _tell(ctx: Context, audience: str) -> None:
    """Say that the user is a member, and remember the id: its echo changes nothing (R5)."""
    now = ctx.now
    state, name = ctx.state, ctx.next_output_id()
    ctx.outputs.append(out.AudienceUpdate(name, ctx.user, now, audience, True))
    state.seen_ids, state.seen_floor = dedupe.remember(
        state.seen_ids, short(name), now, now, state.seen_floor
    )


def _join_counts(state: State, theirs: State) -> None:
    """Join aggregates, histories, what counts for caps, seen ids, and what is past."""
    for key, other in theirs.series.items():
        mine = state.series.get(key)
        if mine is None:
            state.series[key] = other
        else:
            series.join(mine, other)
    for flow, history in theirs.histories.items():
        known = state.histories.get(flow)
        if known is None:
            state.histories[flow] = history
            continue
        known.times += history.times
        visits = sorted(known.visits + history.visits, key=lambda v: (v.entered, v.key))
        over = max(0, len(visits) - MOST_ENTRIES)
        gone = {id(v) for v in [v for v in visits if v.took is not None][:over]}
        known.visits = [v for v in visits if id(v) not in gone]
        known.reached += [step for step in history.reached if step not in known.reached]
        launches = dict.fromkeys([*(known.launches or ()), *(history.launches or ())])
        known.launches = [*launches] or None
    state.cap_sends = sorted(state.cap_sends + theirs.cap_sends, key=lambda sent: sent.at)
    dropped = max(state.seen_floor, theirs.seen_floor)
    state.seen_ids, state.seen_floor = dedupe.joined(state.seen_ids, theirs.seen_ids, dropped)
    state.sent_archive = sorted(
        state.sent_archive + theirs.sent_archive, key=lambda past: past.changed
    )[-KEPT:]
    state.suppressed += [flow for flow in theirs.suppressed if flow not in state.suppressed]


def _join_participants(ctx: Context, theirs: State) -> None:
    """Join what campaigns know of the user; a field is that of the participant changed last."""
    participants = ctx.state.participants
    for campaign, other in theirs.participants.items():
        mine = participants.get(campaign)
        if mine is None and len(participants) >= MOST_PARTICIPANTS:
            ctx.emit_rejection("too_many_participants", detail=campaign)
            continue
        first, last = sorted((mine or other, other), key=lambda p: (p.changed, p is mine))
        data = first.data | last.data
        if encoded_size(data) > PARTICIPANT_BOUND:
            ctx.emit_rejection("value_too_large", detail="participant")
            data = last.data
        if not fits(ctx.state, encoded_size(data) - (encoded_size(mine.data) if mine else 0)):
            ctx.emit_rejection("value_too_large", detail="participant")
            continue
        created = min(first.created, last.created)
        replace_participant(ctx, campaign, Participant(data, created, last.changed))


def _visits(mine: Presence | None, other: Presence | None) -> Presence | None:
    """Add the visits of two keys up; the newest of them is the one at hand (J11)."""
    if mine is None or other is None:
        return mine or other
    newest = mine if mine.last >= other.last else other
    return Presence(mine.count + other.count, newest.started, newest.last, newest.events)


# --- sessions --------------------------------------------------------------------------------


def _join_sessions(
    ctx: Context, theirs: State, handover: str, t: int, concern: Concern
) -> list[Session]:
    """Join what is under way, once control records since have concerned it; return the sessions."""
    state = ctx.state
    mine = state.sessions, state.communications, state.pending, state.ended
    state.sessions, state.communications = theirs.sessions, theirs.communications
    state.ended = list(theirs.ended)
    flows = ctx.catalog.at(theirs.clock).by_number
    state.pending = [p for p in theirs.pending if not _dated(flows[p.flow], p.trigger)]
    _catch_up(ctx, theirs.control_applied, handover, t, concern)
    joined = list(state.sessions)
    state.sessions = [*mine[0], *state.sessions]
    state.communications = [*mine[1], *state.communications]
    taken = {(p.flow, p.trigger) for p in mine[2]}
    more = [p for p in state.pending if (p.flow, p.trigger) not in taken]
    state.pending = [*mine[2], *more]
    state.ended = sorted(mine[3] + state.ended, key=lambda s: (s.ended or 0, s.id))
    return joined


def _dated(view: FlowView, trigger: int) -> bool:
    """Tell whether a trigger fires on dates: those are armed anew, by what is known now."""
    return isinstance(view.plan.triggers[trigger].trigger, (OnDate, OnSchedule))


def _catch_up(ctx: Context, since: int, handover: str, t: int, concern: Concern) -> None:
    """Let control records concern sessions that were on their way from one key to another.

    What these decide then is done then, before the next record (R1), as at the other key.
    """
    catalog = ctx.catalog
    while (effect := catalog.next_effect(since, t)) is not None:
        since = effect.at
        ctx.begin(f"control@{since}", since, f"{handover}@{since}")
        effects = catalog.effects_at(since)
        for flow in dict.fromkeys(e.flow for e in effects if e.what == "publish"):
            rebase_pending(ctx, ctx.epoch.by_number[flow or 0])
        concern(ctx, [effect for effect in effects if effect.what in ON_SESSIONS])


def _end_doubles(ctx: Context) -> None:
    """End the later started of two sessions of one flow and key, where only one may be (R20).

    A silent one goes before: it must not end what the user takes part in (R19).
    """
    first: set[tuple[int, str]] = set()
    for session in sorted(ctx.state.sessions, key=lambda s: (s.silent, s.started, s.id)):
        place = session.flow, session.key
        plan = session.plan
        if place in first and not plan.flow.simultaneous:
            end(ctx, session, "merged", forced=True)
        first.add(place)


def _age(session: Session) -> tuple[int, str]:
    return session.started, session.id


def _keep_bounds(ctx: Context, joined: list[Session]) -> None:
    """End or cancel what came last, as far as all together is over a bound (section 9)."""
    state = ctx.state
    forget_ended(ctx)
    for session in sorted(joined, key=_age, reverse=True):
        many = len(state.sessions) > MOST_SESSIONS
        if not many and fits(state, 0):
            break
        if session.ended is None:
            reason = "too_many_sessions" if many else "value_too_large"
            end(ctx, session, reason, forced=True)
    planned = [sent for sent in state.communications if sent.due is not None]
    over = len(planned) - PLANNED
    for sent in sorted(planned, key=lambda sent: (sent.due or 0, sent.id), reverse=True):
        if over > 0 or not fits(state, 0):
            over -= 1
            _cancel(ctx, sent)
    over = len(state.communications) - PLANNED - KEPT
    for sent in [sent for sent in state.communications if sent.due is None][: max(0, over)]:
        forget(ctx, sent)


def _cancel(ctx: Context, sent: Communication) -> None:
    if sent.status != "planned":
        sent.due = None
        return
    discard(ctx, sent, None, "canceled", "too_many_planned")
