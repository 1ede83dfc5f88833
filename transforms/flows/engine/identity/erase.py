"""Erasure: deletes all data of a user; a tombstone refuses older signals for 30 days (R32).

The tombstone has the instant, the number of the last flow state, and no personal data.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.engine.context import Context
from transforms.flows.engine.flow_state import next_sequence
from transforms.flows.engine.messages.communications import discard
from transforms.flows.engine.steps.moves import end
from transforms.flows.engine.working import State
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import (
    Command,
    Enter,
    Event,
    Inbound,
    ProfileChange,
    Signal,
    encode,
)
from transforms.flows.state.dedupe import ENTRY
from transforms.flows.state.ids import hashed
from transforms.flows.state.stored import Identity
from transforms.flows.state.tombstones import MONTH, SEALED

BY: Final = "by"
"""The field in the data of an erasure command with the key that forwarded it."""


def erase(ctx: Context, command: Command) -> None:
    """Erase the user: end sessions, drop messages, notify sinks and the user's other keys."""
    now = ctx.now
    state, identity = ctx.state, ctx.state.identity or Identity()
    end_all_sessions(ctx, "erased")
    if identity.to is not None and command.data.get(BY) != identity.to:
        _follow(ctx, identity.to, identity.handover, command)
    for source in identity.sources:
        if source != command.data.get(BY):
            _follow(ctx, source, "", command)
    sequence = next_sequence(state, now)
    name = ctx.next_output_id()
    ctx.outputs.append(
        out.Erased(id=name, user=ctx.user, at=now, sequence=sequence, until=now + MONTH)
    )
    # The merged handovers stay, as hashes, so that no forwarded signal waits for one forever.
    mark = Identity(erased=now, merged=identity.merged)
    state = ctx.state
    ctx.replace_state(
        bare_state(now, SEALED, mark, sequence, state.transitions, seen_ids=state.seen_ids[-ENTRY:])
    )


def end_all_sessions(ctx: Context, reason: str) -> None:
    """End all sessions at once, without running ``on_exit``, and drop planned messages."""
    for session in ctx.sessions_in_order():
        session.ended = ctx.now  # so that no step of on_exit runs
        end(ctx, session, reason, forced=True)
    for sent in list(ctx.state.communications):
        if sent.due is not None and sent.status == "planned":
            discard(ctx, sent, "canceled", reason)


def _follow(ctx: Context, key: str, handover: str, command: Command) -> None:
    """Forward the erasure to another key of the same user."""
    name = ctx.next_output_id()
    again = Command(
        id=hashed("erase", command.id, ctx.user, key),
        user=key,
        time=ctx.now,
        what="erase",
        data={BY: ctx.user},
    )
    ctx.outputs.append(
        out.ForwardedOut(
            id=name, user=ctx.user, at=ctx.now, to=key, handover=handover, signal=encode(again)
        )
    )


def refused_by_tombstone(ctx: Context, signal: Signal, own: int, t: int) -> bool:
    """Refuse a signal from before the erasure, or one that cannot start a new user."""
    state, identity = ctx.state, ctx.state.identity
    if identity is None or identity.erased is None:
        return False
    starts = isinstance(signal, (Event, ProfileChange, Enter, Inbound))
    if own <= identity.erased or (_bare(state) and not starts):
        state.clock = t
        ctx.begin(signal.id, t, "erased", signal.id, str(t))  # type: ignore[union-attr]
        ctx.emit_rejection("erased")
        return True
    return False


def restart_from_tombstone(ctx: Context) -> None:
    """Start a new user if there is only a tombstone; the signal is neither refused nor too old."""
    state = ctx.state
    if _bare(state):
        ties = state.identity
        sequence, transitions = state.sequence, state.transitions
        ctx.replace_state(
            bare_state(state.clock, -1, ties, sequence, transitions, seen_ids=state.seen_ids)
        )


def _bare(state: State) -> bool:
    identity = state.identity
    marked = identity is not None and identity.erased is not None and identity.to is None
    return marked and state.control_applied == SEALED


def bare_state(
    clock: int,
    control_applied: int,
    identity: Identity | None,
    sequence: int = 0,
    transitions: int = 0,
    seen_floor: int = 0,
    seen_ids: bytes = b"",
) -> State:
    """Return a state without user data: a tombstone, or the links of the key to other keys."""
    state = State(clock, control_applied)
    state.identity, state.sequence, state.transitions = identity, sequence, transitions
    state.seen_floor, state.seen_ids = seen_floor, seen_ids
    return state


def drop_tombstone(ctx: Context) -> None:
    """Drop a tombstone after 30 days: it leaves no state, except where other keys were merged.

    Those go on forwarding signals, which wait for their handovers: hashes of these stay, with the
    ids and numbers that the tombstone had. Signals that wait already stay, too; without merged keys
    the user is as new as if they had come later.
    """
    state, identity = ctx.state, ctx.state.identity
    assert identity is not None
    if state.control_applied == SEALED and identity.to is None:
        kept = Identity(held=identity.held, merged=identity.merged)
        if not kept.merged:
            ctx.replace_state(bare_state(-1, -1, kept if kept.held else None))
            return
        known = (state.sequence, state.transitions, state.seen_floor, state.seen_ids)
        ctx.replace_state(bare_state(state.clock, -1, kept, *known))
        return
    identity.erased = None
    if identity == Identity():
        state.identity = None
