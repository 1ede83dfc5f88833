"""Merges the data of two keys of one user: profile, counts, participants, audiences (R8).

The newer value of a trait wins, and the user's own value if both are equally old. A withdrawn
consent always wins. Counts and histories are added up. Data over a limit is a rejection.
"""

from __future__ import annotations

from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.limits import (
    LISTS_BOUND,
    MOST_AUDIENCES,
    MOST_ENTRIES,
    MOST_PARTICIPANTS,
    PARTICIPANT_BOUND,
    PROFILE_BOUND,
    fits,
)
from transforms.flows.engine.profile.participants import field_key, replace_participant
from transforms.flows.engine.working import State
from transforms.flows.protocol import outputs as out
from transforms.flows.state import dedupe, series, trait_times
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.sent_archive import KEPT
from transforms.flows.state.stored import Participant, Presence


def join_profile(ctx: Context, theirs: State) -> None:
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


def changed_values(state: State, traits: Data, participants: dict[str, Participant]) -> Data:
    """Return previous values of changed traits and participant fields, for date triggers (R8)."""
    changed = _changed(traits, state.traits)
    for campaign, participant in state.participants.items():
        known = participants.get(campaign)
        fields = _changed({} if known is None else known.data, participant.data)
        changed |= {field_key(name): value for name, value in fields.items()}
    return changed


def _changed(before: Data, now: Data) -> Data:
    return {n: before.get(n) for n in before | now if before.get(n) != now.get(n)}


def join_audiences(ctx: Context, theirs: State) -> list[str]:
    """Join memberships; they are written out but start no flow, as they began at the other key."""
    members, entered = ctx.state.audiences, []
    for audience, since in theirs.audiences.items():
        if audience in members:
            members[audience] = min(since, members[audience])
        elif len(members) >= MOST_AUDIENCES:
            ctx.emit_rejection("value_too_large", detail="audiences")
        else:
            members[audience] = since
            entered.append(audience)
            _emit_membership(ctx, audience)
    return entered


def _emit_membership(ctx: Context, audience: str) -> None:
    """Write the membership, and remember its id: its copy from the events topic is ignored (R5)."""
    now, name = ctx.now, ctx.next_output_id()
    ctx.outputs.append(out.AudienceUpdate(name, ctx.user, now, audience, True))
    ctx.remember_id(name, now, now)


def join_counts(state: State, theirs: State) -> None:
    """Join aggregates, histories, goals, sends that count for caps, seen ids, archived messages."""
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
    for flow, goals in theirs.converted.items():
        reached = state.converted.get(flow, [])
        state.converted[flow] = reached + [goal for goal in goals if goal not in reached]
    state.cap_sends = sorted(state.cap_sends + theirs.cap_sends, key=lambda sent: sent.at)
    dropped = max(state.seen_floor, theirs.seen_floor)
    state.seen_ids, state.seen_floor = dedupe.joined(state.seen_ids, theirs.seen_ids, dropped)
    state.sent_archive = sorted(
        state.sent_archive + theirs.sent_archive, key=lambda past: past.changed
    )[-KEPT:]
    state.suppressed += [flow for flow in theirs.suppressed if flow not in state.suppressed]


def join_participants(ctx: Context, theirs: State) -> None:
    """Join participants; if both have a field, the participant that changed last wins."""
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


def joined_visits(mine: Presence | None, other: Presence | None) -> Presence | None:
    """Add up the visits of two keys; the newest visit is the current one (J11)."""
    if mine is None or other is None:
        return mine or other
    newest = mine if mine.last >= other.last else other
    return Presence(mine.count + other.count, newest.started, newest.last, newest.events)
