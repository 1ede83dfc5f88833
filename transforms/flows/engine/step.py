"""The entry point of the core: state and signal in, next state and outputs out.

    step(catalog, blob, signal) -> Done(blob', outputs, wake_at) | Behind(until)

``fold`` does the same for several signals of one user. A host with a sandbox also passes
``answer``, a pure function of a call and its code; the result of a code step is then handled
at once. A host calls ``is_unused`` first, so that it need not load the state for an
event that no definition reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from transforms.flows.catalog.epochs import NEVER, Catalog
from transforms.flows.engine.context import Answer, Context
from transforms.flows.engine.firing import catch_up, fire_until
from transforms.flows.engine.identity.erase import refused_by_tombstone, restart_from_tombstone
from transforms.flows.engine.identity.handover import (
    accept_handover,
    is_repeated,
    release_held,
    unwrap,
)
from transforms.flows.engine.identity.user_commands import handle_user_command
from transforms.flows.engine.merge import merge_state
from transforms.flows.engine.signal_order import handle_signal, settle
from transforms.flows.engine.timers import earliest_due
from transforms.flows.engine.working import State, decode, encode
from transforms.flows.protocol.outputs import AnyOutput, Behind, Done
from transforms.flows.protocol.signals import (
    Command,
    Event,
    Forwarded,
    Handover,
    Inbound,
    Signal,
    Time,
)
from transforms.flows.state.dedupe import forgotten, remember, seen
from transforms.flows.state.ids import short

__all__ = ["Answer", "Behind", "Done", "advance", "fold", "fold_outputs", "is_unused", "step"]


def step(
    catalog: Catalog, state: bytes | None, signal: Signal, answer: Answer | None = None
) -> Done | Behind:
    """Handle one signal of one user (R1-R7); ``answer`` is the host's sandbox for code."""
    return fold(catalog, state, (signal,), answer)


def fold(
    catalog: Catalog,
    state: bytes | None,
    signals: Iterable[Signal],
    answer: Answer | None = None,
) -> Done | Behind:
    """Handle signals of one user in this order, like ``step`` on each in turn (R3).

    If the control log is not complete for one of them, none is handled.
    """
    ctx = _run(catalog, state, signals, answer)
    if ctx is None:
        return Done(state, (), _wake(state))
    if isinstance(ctx, Behind):
        return ctx
    untouched = ctx.state.clock < 0 and ctx.state.identity is None
    return Done(
        None if untouched else encode(ctx.state),
        tuple(ctx.outputs),
        None if untouched else earliest_due(ctx.state),
    )


def fold_outputs(
    catalog: Catalog, signals: Iterable[Signal], answer: Answer | None = None
) -> tuple[AnyOutput, ...] | Behind:
    """Return the outputs of all signals of a new user; a replay needs no state afterwards."""
    ctx = _run(catalog, None, signals, answer)
    if ctx is None or isinstance(ctx, Behind):
        return ctx or ()
    return tuple(ctx.outputs)


def _run(
    catalog: Catalog, state: bytes | None, signals: Iterable[Signal], answer: Answer | None
) -> Context | Behind | None:
    """Handle signals; return the context with the results, or None if no signal was used."""
    ctx: Context | None = None
    for signal in signals:
        if state is None and ctx is None and _only_fires(signal):
            continue
        if is_unused(catalog, signal):
            _, at = _event_and_handling_time(catalog, signal)
            if catalog.complete_until < at:
                return Behind(at)
            continue
        ctx = ctx or _open(catalog, state, signal, answer)
        until = advance(ctx, signal)
        if until is not None:
            return Behind(until)
    if ctx is not None:
        ctx.close()
    return ctx


def _wake(state: bytes | None) -> int | None:
    return earliest_due(decode(state)) if state is not None else None


def is_unused(catalog: Catalog, signal: Signal) -> bool:
    """Return True for an event or message that no definition reads: it is ignored (R5)."""
    if isinstance(signal, Event):
        return signal.name not in catalog.events_read_since and catalog.all_events_since == NEVER
    return isinstance(signal, Inbound) and _unread(signal) and catalog.inbound_since == NEVER


def _unread(signal: Inbound) -> bool:
    """Return True if only flows read a message; an answer to a communication is also a status."""
    return signal.communication is None


def _only_fires(signal: Signal) -> bool:
    """Return True for Time and wake: they fire due timers and never create a user."""
    if isinstance(signal, Event):  # events, the most frequent signals, skip the other tests
        return False
    return isinstance(signal, Time) or (isinstance(signal, Command) and signal.what == "wake")


def _open(catalog: Catalog, state: bytes | None, signal: Signal, answer: Answer | None) -> Context:
    decoded = State(-1, -1) if state is None else decode(state)
    return Context(catalog, signal.user, decoded, answer)


def advance(ctx: Context, signal: Signal) -> int | None:
    """Handle one signal; return the instant that the control log must reach, None if it has."""
    if isinstance(signal, Event):  # events, the most frequent signals, skip the other tests
        return _handle(ctx, signal)
    if isinstance(signal, Time):
        return _fire(ctx, signal.at)
    if isinstance(signal, Command) and signal.what == "wake":
        return _fire(ctx, signal.time)
    return _handle(ctx, signal)


def _fire(ctx: Context, until: int) -> int | None:
    if ctx.state.clock < 0:
        return None
    if ctx.catalog.complete_until < until:
        return until
    fire_until(ctx, until)
    return None


def _event_and_handling_time(catalog: Catalog, signal: Signal) -> tuple[int, int]:
    """Return the event time, and the handling time before the user's clock is applied (R1, R9)."""
    if TYPE_CHECKING:
        assert not isinstance(signal, Time)
    received = signal.received
    if received is None:
        return signal.time, signal.time
    own = min(signal.time, received)
    return own, max(own, received - catalog.at(own).space.slack)


def _handle(ctx: Context, signal: Signal) -> int | None:
    """Ignore a duplicate (R5), else fire everything due by then (R1) and handle the signal.

    A duplicate fires no timers: it may have a later ingestion time than the original, and would
    advance the user's clock past signals that still arrive within the allowed lateness.
    """
    if TYPE_CHECKING:
        assert not isinstance(signal, Time)
    state, catalog = ctx.state, ctx.catalog
    own, at = _event_and_handling_time(catalog, signal)
    t = max(at, state.clock)
    if catalog.complete_until < t:
        return t
    if isinstance(signal, Event):
        if catalog.events_read_since.get(signal.name, NEVER) > at < catalog.all_events_since:
            return None
    elif isinstance(signal, Inbound):
        if _unread(signal) and catalog.inbound_since > at:
            return None
    elif isinstance(signal, Forwarded):
        return _handle_forwarded(ctx, signal, t)
    elif isinstance(signal, Handover):
        return _merge_once(ctx, signal, 0, own, t)
    known = short(signal.id)
    if seen(state.seen_ids, known):
        return None
    if state.control_applied >= 0:
        fire_until(ctx, t)
    if ctx.state.identity is not None and refused_by_tombstone(ctx, signal, own, t):
        return None
    state = ctx.state
    _begin(ctx, t)
    oldest_known = forgotten(state.clock, state.seen_floor) if state.clock >= 0 else -1
    if own <= oldest_known and not signal.backfill:
        state.clock = t
        ctx.begin(signal.id, t, "too_old", signal.id, str(t))
        ctx.emit_rejection("too_old")
        return None
    if state.identity is not None:
        restart_from_tombstone(ctx)
        _begin(ctx, t)
        state = ctx.state
    state.seen_ids, state.seen_floor = remember(state.seen_ids, known, own, t, state.seen_floor)
    state.clock = t
    ctx.begin(signal.id, t)
    unusual = state.identity is not None or not isinstance(signal, Event)
    was_new, applied = ctx.is_new_user, state.control_applied
    if not (unusual and handle_user_command(ctx, signal)):
        handle_signal(ctx, signal, own)
    elif 0 <= ctx.state.control_applied < applied:
        _catch_up(ctx, signal.id, t, all_effects=was_new)
    ctx.is_new_user = False
    if own < signal.time:
        ctx.emit_rejection("future_time")
    return None


def _begin(ctx: Context, t: int) -> None:
    """Initialize a new state: control records before the current epoch do not apply to it."""
    if ctx.state.control_applied < 0:
        ctx.state.control_applied, ctx.is_new_user = min(ctx.catalog.at(t).since, t), True


def _catch_up(ctx: Context, command: str, t: int, *, all_effects: bool) -> None:
    """Apply to an imported state the control records since its export (R29)."""
    since = ctx.state.control_applied
    since = catch_up(ctx, since, t, "import_control", command, all_effects=all_effects)
    ctx.state.control_applied = since
    settle(ctx)


def _handle_forwarded(ctx: Context, given: Forwarded, t: int) -> int | None:
    """Handle a signal that another key forwarded, once the handover it waits for is merged (R8)."""
    signal = unwrap(ctx, given, t)
    if signal is None or is_unused(ctx.catalog, signal):
        return None
    if isinstance(signal, Handover):
        return _merge_once(ctx, signal, given.hops, min(signal.time, given.time), t)
    return _handle(ctx, signal)


def _merge_once(ctx: Context, given: Handover, hops: int, own: int, t: int) -> int | None:
    """Merge the state of another key once, then handle the signals that waited for it (R8)."""
    if is_repeated(ctx, given):
        return None
    if ctx.state.control_applied >= 0:
        fire_until(ctx, t)
    theirs = accept_handover(ctx, given, hops, own, t)
    if theirs is not None:
        _begin(ctx, t)
        merge_state(ctx, theirs, given, t)
    for held in release_held(ctx):
        until = _handle(ctx, held)
        if until is not None:
            return until
    return None
