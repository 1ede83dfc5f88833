"""Merges the state of another key into the user's, step by step (R8).

``identity/merge_sessions.py`` and ``merge_profile.py`` join the parts.

Waits keep their due times. Only data over a limit is lost, and each such loss is a rejection.
"""

from __future__ import annotations

from transforms.flows.engine.context import Context
from transforms.flows.engine.entry.dates import rearm_for_audience, rearm_for_traits
from transforms.flows.engine.firing import catch_up
from transforms.flows.engine.identity.handover import joined_transitions, record_merge
from transforms.flows.engine.identity.merge_profile import (
    changed_values,
    join_audiences,
    join_counts,
    join_participants,
    join_profile,
    joined_visits,
)
from transforms.flows.engine.identity.merge_sessions import (
    end_doubles,
    join_sessions,
    keep_bounds,
    set_aside,
)
from transforms.flows.engine.profile.audiences import recompute
from transforms.flows.engine.profile.visits import extend_visit_waits
from transforms.flows.engine.signal_order import mark_as_backfill, settle
from transforms.flows.engine.steps.moves import note_baseline, note_goals, recheck_conditions
from transforms.flows.engine.timers import clamp_due_times
from transforms.flows.engine.working import State
from transforms.flows.protocol.signals import Handover


def merge_state(ctx: Context, theirs: State, given: Handover, t: int) -> None:
    """Merge the state from a handover, and handle the signals that this raises."""
    ctx.state.clock = t
    ctx.is_new_user = False  # all audiences are evaluated after the merge anyway
    decisions = _join(ctx, theirs, given, t)
    record_merge(ctx, given, theirs)
    if given.bypass:
        mark_as_backfill(ctx, decisions)
        note_baseline(ctx)
    settle(ctx, moved=not given.bypass)


def _join(ctx: Context, theirs: State, given: Handover, t: int) -> int:
    """Merge the state of another key into this one, at an instant that both have reached.

    Return how many of the raised signals are decisions of sessions. The signals after them follow
    from the merged data.
    """
    handover, state = given.id, ctx.state
    traits, participants = dict(state.traits), dict(state.participants)
    ctx.begin(handover, t)
    state.transitions = joined_transitions(state, theirs, t)
    join_profile(ctx, theirs)
    join_counts(state, theirs)
    join_participants(ctx, theirs)
    entered = join_audiences(ctx, theirs)
    ctx.view.presence = state.presence = joined_visits(state.presence, theirs.presence)
    mine = set_aside(ctx, theirs)
    note_goals(ctx)
    catch_up(ctx, theirs.control_applied, t, "handover_control", handover)
    ctx.begin(handover, t, "joined", handover)
    joined = join_sessions(ctx, mine)
    changed = changed_values(state, traits, participants)
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
    end_doubles(ctx)
    keep_bounds(ctx, joined)
    decisions = len(ctx.queue)
    ctx.invalidate_view()
    recompute(ctx, ctx.epoch.audiences)
    note_goals(ctx)
    for session in () if given.bypass else ctx.sessions_in_order():
        if session.ended is None:
            recheck_conditions(ctx, session)
    ctx.flow_state_changed = ctx.flow_state_changed or bool(joined)
    return decisions
