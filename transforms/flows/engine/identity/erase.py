"""Erasure: everything of a user is gone at once; for 30 days a mark refuses what is older (R32).

The mark holds an instant, the sequence of what was told, and nothing about a person.
"""

from __future__ import annotations

from typing import Final

from transforms.flows.engine.context import Context
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
"""In the data of an erasure: the key whose erasure this one follows."""


def erase(ctx: Context, order: Command) -> None:
    """Erase the user: end sessions, drop messages, tell sinks, and the keys that were this one."""
    now = ctx.now
    state, identity = ctx.state, ctx.state.identity or Identity()
    end_all_sessions(ctx, "erased")
    if identity.to is not None and order.data.get(BY) != identity.to:
        _follow(ctx, identity.to, identity.handover, order)
    for source in identity.sources:
        if source != order.data.get(BY):
            _follow(ctx, source, "", order)
    sequence = state.sequence + 1
    name = ctx.next_output_id()
    ctx.outputs.append(
        out.Erased(id=name, user=ctx.user, at=now, sequence=sequence, until=now + MONTH)
    )
    mark = Identity(erased=now, merged=identity.merged)  # hashes, so that nothing waits for ever
    ctx.replace_state(bare_state(now, SEALED, mark, sequence, seen_ids=ctx.state.seen_ids[-ENTRY:]))


def end_all_sessions(ctx: Context, reason: str) -> None:
    """End all sessions at once, without their steps of ``on_exit``, and drop what is planned."""
    for session in ctx.sessions_in_order():
        session.ended = ctx.now  # so that no step of on_exit runs
        end(ctx, session, reason, forced=True)
    for sent in list(ctx.state.communications):
        if sent.due is not None and sent.status == "planned":
            discard(ctx, sent, None, "canceled", reason)


def _follow(ctx: Context, key: str, handover: str, order: Command) -> None:
    """Forward the erasure to another key of the same user."""
    name = ctx.next_output_id()
    again = Command(
        id=hashed(order.id, ctx.user, key),
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
    """Refuse a signal from before an erasure, or one that cannot start a user again."""
    state, identity = ctx.state, ctx.state.identity
    if identity is None or identity.erased is None:
        return False
    starts = isinstance(signal, (Event, ProfileChange, Enter, Inbound))
    if own <= identity.erased or (_bare(state) and not starts):
        state.clock = t
        ctx.begin(signal.id, t, f"{signal.id} erased {t}")  # type: ignore[union-attr]
        ctx.emit_rejection("erased")
        return True
    return False


def restart_from_tombstone(ctx: Context) -> None:
    """Let what is neither refused nor too old start the user afresh, where there is but a mark."""
    state = ctx.state
    if _bare(state):
        ties = state.identity
        ctx.replace_state(
            bare_state(state.clock, -1, ties, state.sequence, seen_ids=state.seen_ids)
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
    seen_floor: int = 0,
    seen_ids: bytes = b"",
) -> State:
    """Make a state without data of the user: a tombstone, or what ties the key to others."""
    state = State(clock, control_applied)
    state.identity, state.sequence = identity, sequence
    state.seen_floor, state.seen_ids = seen_floor, seen_ids
    return state


def drop_tombstone(ctx: Context) -> None:
    """Drop a tombstone after 30 days: an expired tombstone leaves no state."""
    state, identity = ctx.state, ctx.state.identity
    assert identity is not None
    if state.control_applied == SEALED and identity.to is None:
        held = Identity(held=identity.held) if identity.held else None
        ctx.replace_state(bare_state(-1, -1, held))
        return
    identity.erased = None
    if identity == Identity():
        state.identity = None
