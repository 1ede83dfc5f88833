"""Handover: when two keys are one user, one of them sends its state to the other (R8).

A key that now forwards to another key sends a handover, even an empty one. If its own handover
comes back, the keys form a cycle: it takes its state back and forwards no more.
"""

from __future__ import annotations

from typing import Final

import msgspec

from transforms.flows.engine.context import Context
from transforms.flows.engine.flow_state import emit_flow_state
from transforms.flows.engine.identity.erase import BY, bare_state, end_all_sessions
from transforms.flows.engine.working import State, decode, encode
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol import signals
from transforms.flows.protocol.signals import Forwarded, Handover, ProfileChange, Signal, Time
from transforms.flows.state.dedupe import ENTRY
from transforms.flows.state.ids import SHORT, short
from transforms.flows.state.stored import Identity
from transforms.flows.state.tombstones import SEALED

MOST_HELD: Final = 100
MOST_MERGED: Final = 200
MOST_KEYS: Final = 16
HELD_BYTES: Final = 32 * 1024
LARGEST: Final = 256 * 1024


def forward_signal(ctx: Context, signal: Signal) -> bool:
    """Forward a signal if its key forwards to another, or begins to; return True if forwarded."""
    identity = ctx.state.identity
    marked = identity is not None and identity.to is not None
    to = signal.becomes if isinstance(signal, ProfileChange) else None
    if to is not None and to == ctx.user:
        to = None
    if to is not None and not marked and identity is not None and to in identity.sources:
        ctx.emit_rejection("identity_cycle", detail=to)
        return False
    if to is None and not marked:
        return False
    # A backfilled signal may arrive again later; then it must be another output.
    ctx.begin(signal.id, ctx.now, "forward", signal.id, str(ctx.now))  # type: ignore[union-attr]
    if to is not None and (identity is None or identity.to != to):
        _hand_over(ctx, to, signal.bypass or signal.backfill)  # type: ignore[union-attr]
    identity = ctx.state.identity
    assert identity is not None
    _pass_on(ctx, signal)
    return True


def _hand_over(ctx: Context, to: str, bypass: bool) -> None:
    """Send the state to the other key, without the id of this signal, and forward from now on."""
    now = ctx.now
    state, name = ctx.state, ctx.next_output_id()
    before = state.identity or Identity()
    if before.to is None:
        ties = Identity(held=before.held, merged=before.merged, sources=before.sources)
        kept = decode(encode(state))
        kept.seen_ids = state.seen_ids[:-ENTRY]
        kept.identity = None if ties == Identity() else ties
    else:
        kept = State(now, SEALED)
    ctx.outputs.append(
        out.HandoverOut(id=name, user=ctx.user, at=now, to=to, state=encode(kept), bypass=bypass)
    )
    if before.to is not None:
        before.to, before.handover = to, name
        return
    had_flow_state = any(not session.silent for session in state.sessions)
    mark = Identity(to=to, handover=name, erased=before.erased, merged=before.merged)
    ctx.replace_state(
        bare_state(
            now,
            SEALED,
            mark,
            state.sequence,
            state.transitions,
            state.seen_floor,
            state.seen_ids,
        )
    )
    if had_flow_state:
        emit_flow_state(ctx)


def _pass_on(ctx: Context, signal: Signal, hops: int = 1) -> None:
    """Forward a signal to the key that this one now belongs to."""
    identity = ctx.state.identity
    assert identity is not None
    assert identity.to is not None
    if isinstance(signal, ProfileChange) and signal.becomes is not None:
        signal = msgspec.structs.replace(signal, becomes=None)
    name = ctx.next_output_id()
    ctx.outputs.append(
        out.ForwardedOut(
            id=name,
            user=ctx.user,
            at=ctx.now,
            to=identity.to,
            handover=identity.handover,
            signal=signals.encode(signal),
            hops=hops,
        )
    )


def unwrap(ctx: Context, given: Forwarded, t: int) -> Signal | None:
    """Return the forwarded signal if it can be handled now; else hold it or forward it again."""
    identity = ctx.state.identity
    signal = _inner(ctx, given)
    if isinstance(signal, Handover):
        return signal
    if identity is not None and identity.to is not None and not _erases(signal, identity):
        ctx.begin(
            given.id, t, "forward_again", given.id, str(t), identity.handover, str(given.hops)
        )
        _on_again(ctx, signal, given.hops)
        return None
    if not _missing(identity, given):
        return signal
    _hold(ctx, given, t)
    return None


def _erases(signal: Signal, identity: Identity) -> bool:
    """Return True if the signal erases the key that this one forwards to."""
    return isinstance(signal, signals.Command) and signal.data.get(BY) == identity.to


def _on_again(ctx: Context, signal: Signal, hops: int) -> None:
    """Forward again what was forwarded to this key, up to a maximum number of keys."""
    if hops < MOST_KEYS:
        _pass_on(ctx, signal, hops + 1)
        return
    ctx.emit_dead_letter("identity_cycle", f"forwarded by {MOST_KEYS} keys")


def _inner(ctx: Context, given: Forwarded) -> Signal:
    signal = signals.decode(given.signal)
    assert not isinstance(signal, Time)
    received = signal.received if given.received is None else given.received
    here: Signal = msgspec.structs.replace(signal, user=ctx.user, received=received)
    return here


def _missing(identity: Identity | None, given: Forwarded) -> bool:
    """Return True if the handover that the signal waits for is still to be merged."""
    if identity is None:
        return bool(given.handover)
    if len(identity.merged) >= MOST_MERGED * SHORT:
        return False
    return bool(given.handover) and not _merged(identity, given.handover)


def _merged(identity: Identity, handover: str) -> bool:
    return _holds(identity.merged, short(handover))


def _holds(merged: bytes, name: bytes) -> bool:
    return name in _names(merged)


def _hold(ctx: Context, given: Forwarded, t: int) -> None:
    """Hold a signal until the handover it waits for is merged: at most 100 signals, each once."""
    identity = ctx.state.identity or Identity()
    encoded = signals.encode(given)
    if encoded in identity.held:
        return
    if len(identity.held) >= MOST_HELD or sum(map(len, identity.held)) + len(encoded) > HELD_BYTES:
        ctx.begin(given.id, t, "held", given.id, str(t))
        ctx.emit_rejection("too_many_held", detail=given.source)
        return
    identity.held = [*identity.held, encoded]
    ctx.state.identity = identity


def release_held(ctx: Context) -> list[Forwarded]:
    """Remove and return the held signals whose handover is merged, in the order of arrival."""
    identity = ctx.state.identity
    if identity is None or not identity.held:
        return []
    found, left = [], []
    for encoded in identity.held:
        given = signals.decode(encoded)
        assert isinstance(given, Forwarded)
        if _missing(identity, given):
            left.append(encoded)
        else:
            found.append(given)
    identity.held = left
    return found


def as_signal(output: out.AnyOutput) -> Handover | Forwarded | None:
    """Return the signal that an output becomes for another key when it is read as input."""
    match output:
        case out.HandoverOut(id=name, user=user, at=at, to=to, state=state, bypass=bypass):
            return Handover(id=name, user=to, time=at, source=user, state=state, bypass=bypass)
        case out.ForwardedOut(
            id=name, user=user, at=at, to=to, handover=waits, signal=signal, hops=hops
        ):
            return Forwarded(
                id=name, user=to, time=at, source=user, handover=waits, signal=signal, hops=hops
            )
        case _:
            return None


# --- receiving the state of another key ------------------------------------------------------


def is_repeated(ctx: Context, given: Handover) -> bool:
    """Return True for a handover that is merged already; like any duplicate it fires no timers."""
    identity = ctx.state.identity
    if identity is None or identity.to is not None or not _merged(identity, given.id):
        return False
    return not _holds(identity.merged, _mark(short(given.id)))


def accept_handover(ctx: Context, given: Handover, hops: int, own: int, t: int) -> State | None:
    """Return the state to merge into this key; None if it is forwarded or refused.

    ``hops`` counts the keys that forwarded it.
    """
    identity = ctx.state.identity or Identity()
    ctx.begin(given.id, t, "handover", given.id, str(t))
    if identity.to is not None and given.id == identity.handover:
        _take_back(ctx, identity, identity.to)
    elif identity.to is not None:
        # It may arrive again by another key, or after this key forwards elsewhere: another output.
        ctx.begin(given.id, t, "forward_again", given.id, str(t), identity.handover, str(hops))
        _on_again(ctx, given, hops)
        _note(ctx, given.id, [], only_forwarded=True)
        return None
    elif identity.erased is not None and (
        own <= identity.erased or ctx.state.control_applied == SEALED
    ):
        ctx.emit_rejection("erased", detail=given.source)
        _end_theirs(ctx, given, "erased")
        _note(ctx, given.id, [])
        return None
    elif len(identity.merged) >= MOST_MERGED * SHORT:
        ctx.emit_rejection("too_many_merged", detail=given.source)
        _end_theirs(ctx, given, "too_many_merged")
        return None
    elif len(encode(ctx.state)) + len(given.state) > LARGEST:
        ctx.emit_rejection("state_too_large", detail=given.source)
        _end_theirs(ctx, given, "state_too_large")
        _note(ctx, given.id, [])
        return None
    theirs = decode(given.state)
    ctx.attach_plans(theirs)
    return theirs


def joined_transitions(mine: State, theirs: State, now: int) -> int:
    """Return the sequence that transitions continue when another state joins.

    It is above all of both. This key may have had rows in a life that an erasure ended, and whose
    last number is forgotten; they are below the instant.
    """
    if not theirs.transitions:
        return mine.transitions
    return max(mine.transitions, theirs.transitions, now - 1)


def _end_theirs(ctx: Context, given: Handover, reason: str) -> None:
    """End the sessions of a state that is not merged, so that each has a row that ends it (R7)."""
    mine = ctx.state
    theirs = decode(given.state)
    theirs.transitions = joined_transitions(mine, theirs, ctx.now)  # the rows are of this user
    ctx.replace_state(theirs)
    end_all_sessions(ctx, reason)
    mine.transitions = theirs.transitions
    ctx.replace_state(mine)


def _take_back(ctx: Context, identity: Identity, to: str) -> None:
    """Resolve a cycle: this key takes its state back and forwards no more.

    Signals that it forwarded wait for a handover at the other key, so an empty one is sent there.
    """
    ctx.emit_rejection("identity_cycle", detail=to)
    void = bare_state(ctx.now, SEALED, Identity(to=to, merged=short(identity.handover)))
    name = ctx.next_output_id()
    ctx.outputs.append(
        out.HandoverOut(id=name, user=ctx.user, at=ctx.now, to=to, state=encode(void), bypass=True)
    )
    state = ctx.state
    ties = Identity(erased=identity.erased, merged=identity.merged)
    ctx.replace_state(
        bare_state(
            state.clock,
            -1,
            ties,
            state.sequence,
            state.transitions,
            state.seen_floor,
            state.seen_ids,
        )
    )


def record_merge(ctx: Context, given: Handover, theirs: State) -> None:
    """Record a merged handover, and what the other key had merged and held itself."""
    other = theirs.identity or Identity()
    sources = [given.source] if other.to is None else []  # else the handover was empty
    _note(ctx, given.id, [*sources, *other.sources], other.merged)
    identity = ctx.state.identity
    assert identity is not None
    room = MOST_HELD - len(identity.held)
    if len(other.held) > room:
        ctx.emit_rejection("too_many_held", detail=given.source)
    identity.held = [*identity.held, *other.held[:room]]


def _note(
    ctx: Context,
    handover: str,
    sources: list[str],
    merged: bytes = b"",
    *,
    only_forwarded: bool = False,
) -> None:
    """Note a handover, and what the other key has noted, so that no signal waits for it again.

    One that is ``only_forwarded`` has a mark beside it: if it comes back when this key forwards no
    more, it is merged here.
    """
    identity = ctx.state.identity = ctx.state.identity or Identity()
    name = short(handover)
    noted = name + _mark(name) if only_forwarded else name
    joined = _joined_notes(_joined_notes(identity.merged, merged), noted)
    identity.merged = joined[-MOST_MERGED * SHORT :]
    known = dict.fromkeys((*identity.sources, *sources))
    known.pop(ctx.user, None)
    identity.sources = list(known)[-MOST_MERGED:]


def _mark(name: bytes) -> bytes:
    """Return the mark of a handover that was forwarded and not merged."""
    return bytes(255 - byte for byte in name)


def _joined_notes(mine: bytes, theirs: bytes) -> bytes:
    """Join the notes of two keys: what one of them has merged is no longer marked as forwarded."""
    both = _names(mine), _names(theirs)
    merged = {name for names in both for name in names if _mark(name) not in names}
    every = dict.fromkeys((*both[0], *both[1]))
    return b"".join(name for name in every if _mark(name) not in merged)


def _names(notes: bytes) -> list[bytes]:
    return [notes[at : at + SHORT] for at in range(0, len(notes), SHORT)]
